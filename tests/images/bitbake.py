"""What bitbake does with a recipe before it runs a task, cut down to what ours uses: assignments, `require`, expansion of ${NAME} and
${@python}, and the shell functions, run in the folder that the class names. Nothing of bitbake's own is in it, and what it does not
know it refuses: a recipe that begins to use more must teach it that first.
"""

import pathlib
import re
import subprocess

ASSIGNMENT = re.compile(r'^(export )?([A-Z][A-Za-z0-9_]*(?::[A-Za-z0-9_${}+.-]+)*)(\[[^\]]+\])? *(\?\?=|\?=|\+=|=\+|=) *"(.*)"$', re.S)
FUNCTION = re.compile(r"^([a-z][a-z0-9_]*)\(\) \{$")
NAME = re.compile(r"\$\{([a-zA-Z0-9\-_+./~:]+)\}")
PYTHON = re.compile(r"\$\{@((?:\{.*?\}|.)+?)\}", re.S)


class Recipe:
    def __init__(self, path, given):
        """`given`: what bitbake.conf and the classes set, before the recipe and after the classes that it inherits."""
        self.values, self.flags, self.functions, self.exported, self.weak = dict(given), {}, {}, set(), {}
        self.inherited = set()
        self.read(pathlib.Path(path))

    def read(self, path):
        lines = iter(path.read_text().splitlines())
        for line in lines:
            while line.endswith("\\"):
                line = line[:-1] + next(lines)
            if function := FUNCTION.match(line):
                body = []
                while (line := next(lines)) != "}":
                    body.append(line)
                self.functions[function[1]] = "\n".join(body)
            elif line.startswith("require "):
                self.read(path.parent / line.split()[1])
            elif line.startswith("inherit "):
                self.inherited.update(line.split()[1:])
            elif line and not line.startswith("#"):
                self.assign(line)

    def assign(self, line):
        found = ASSIGNMENT.match(line)
        if not found:
            raise ValueError(f"this is no assignment that is known here: {line}")
        export, name, flag, operator, value = found.groups()
        if flag:
            self.flags[name, flag.strip("[]")] = value
            return
        # Overrides that stand for the package itself; :append waits until the end, which is when it is read.
        name = name.replace("${PN}", self.values["PN"])
        if export:
            self.exported.add(name)
        if name.endswith((":append", ":prepend", ":remove")):
            self.values[name] = self.values.get(name, "") + value
        elif operator == "??=":
            self.weak.setdefault(name, value)
        elif operator == "?=":
            self.values.setdefault(name, value)
        elif operator == "+=":
            self.values[name] = f"{self.values.get(name, '')} {value}"
        elif operator == "=+":
            self.values[name] = f"{value} {self.values.get(name, '')}"
        else:
            self.values[name] = value

    def getVar(self, name):  # noqa: N802: bitbake's own name, which the recipe's Python uses
        text = self.values.get(name, self.weak.get(name))
        appended = self.values.get(f"{name}:append")
        if text is None and appended is None:
            return None
        return self.expand((text or "") + (appended or ""))

    def expand(self, text):
        for _ in range(20):
            before = text
            text = NAME.sub(lambda found: self.known(found), text)
            text = PYTHON.sub(lambda found: str(eval(found[1], {"d": self})), text)
            if text == before:
                return text
        raise ValueError(f"this expands without end: {text}")

    def known(self, found):
        value = self.getVar(found[1])
        # A name that bitbake does not know stays: it is the shell's.
        return found[0] if value is None else value

    def words(self, name):
        return (self.getVar(name) or "").split()

    def use(self, features):
        """PACKAGECONFIG: the arguments of what is chosen and of what is not, and what is needed to build and on the gateway."""
        fields = {flag: [part.strip() for part in self.expand(value).split(",")] + [""] * 6
                  for (name, flag), value in self.flags.items() if name == "PACKAGECONFIG"}
        unknown = set(features) - set(fields)
        if unknown:
            raise ValueError(f"PACKAGECONFIG has no {unknown}")
        self.values["PACKAGECONFIG"] = " ".join(features)
        arguments = [field[0] if flag in features else field[1] for flag, field in fields.items()]
        self.values["PACKAGECONFIG_CONFARGS"] = " ".join(filter(None, arguments))
        for position, variable in ((2, "DEPENDS"), (3, "RDEPENDS:gwe")):
            needed = [fields[flag][position] for flag in features]
            self.values[variable] = " ".join([self.values.get(variable, ""), *filter(None, needed)])

    def run(self, task, helpers=""):
        """Runs a task's function as bitbake does: its text expanded, in B, with -e, what is exported in the environment."""
        script = "\n".join(["set -e", helpers, *(f"{name}() {{\n{self.expand(body)}\n}}" for name, body in self.functions.items()), task])
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **{name: self.getVar(name) or "" for name in self.exported}}
        return subprocess.run(["sh", "-c", script], cwd=self.getVar("B"), env=environment, capture_output=True, text=True, timeout=120)
