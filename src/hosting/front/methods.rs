//! The methods: one table of names, parameters, what comes back, and help.

/// A method of supervisord's API.
pub(crate) struct FrontMethod {
    /// With its namespace.
    pub(crate) name: &'static str,
    /// Type and name of each parameter; those from `wanted` on may be left out.
    pub(crate) params: &'static [(&'static str, &'static str)],
    pub(crate) wanted: usize,
    pub(crate) returns: &'static str,
    /// A sentence.
    pub(crate) help: &'static str,
}

type Params = &'static [(&'static str, &'static str)];

const NONE: Params = &[];
const NAME: Params = &[("string", "name")];
const NAME_AND_WAIT: Params = &[("string", "name"), ("boolean", "wait")];
const WAIT: Params = &[("boolean", "wait")];
const PIECE: Params = &[("int", "offset"), ("int", "length")];
const NAME_AND_PIECE: Params = &[("string", "name"), ("int", "offset"), ("int", "length")];
const NAME_AND_SIGNAL: Params = &[("string", "name"), ("string", "signal")];

const fn method(name: &'static str, params: Params, returns: &'static str, help: &'static str) -> FrontMethod {
    FrontMethod { name, params, wanted: params.len(), returns, help }
}

/// The same where the last parameter may be left out.
const fn waiting(name: &'static str, params: Params, returns: &'static str, help: &'static str) -> FrontMethod {
    FrontMethod { name, params, wanted: params.len() - 1, returns, help }
}

const RESULTS: &str = "array results";
const DONE: &str = "boolean result";

/// In the order of their names.
pub(crate) const METHODS: [FrontMethod; 41] = [
    method("supervisor.addProcessGroup", NAME, DONE, "Takes up a group of the configuration as last read."),
    method("supervisor.clearAllProcessLogs", NONE, RESULTS, "Empties the logs of all processes."),
    method("supervisor.clearLog", NONE, DONE, "Empties supervisord's own log."),
    method("supervisor.clearProcessLog", NAME, DONE, "Empties the logs of a process."),
    method("supervisor.clearProcessLogs", NAME, DONE, "Empties the logs of a process."),
    method("supervisor.getAPIVersion", NONE, "string version", "The version of this API."),
    method("supervisor.getAllConfigInfo", NONE, "array configurations", "Every process that the configuration names."),
    method("supervisor.getAllProcessInfo", NONE, "array processes", "How every process is."),
    method("supervisor.getIdentification", NONE, "string identifier", "The identifier that the configuration gives."),
    method("supervisor.getPID", NONE, "int pid", "The number of supervisord's process."),
    method("supervisor.getProcessInfo", NAME, "struct process", "How a process is."),
    method("supervisor.getState", NONE, "struct state", "How supervisord is: statecode and statename."),
    method("supervisor.getSupervisorVersion", NONE, "string version", "The version of supervisor that this is like."),
    method("supervisor.getVersion", NONE, "string version", "The version of this API."),
    method(
        "supervisor.readLog",
        PIECE,
        "string text",
        "A piece of supervisord's own log; a negative offset is its end.",
    ),
    method(
        "supervisor.readMainLog",
        PIECE,
        "string text",
        "A piece of supervisord's own log; a negative offset is its end.",
    ),
    method("supervisor.readProcessLog", NAME_AND_PIECE, "string text", "A piece of what a process wrote to stdout."),
    method(
        "supervisor.readProcessStderrLog",
        NAME_AND_PIECE,
        "string text",
        "A piece of what a process wrote to stderr.",
    ),
    method(
        "supervisor.readProcessStdoutLog",
        NAME_AND_PIECE,
        "string text",
        "A piece of what a process wrote to stdout.",
    ),
    method(
        "supervisor.reloadConfig",
        NONE,
        "array [[added, changed, removed]]",
        "Reads the configuration anew and applies nothing.",
    ),
    method("supervisor.removeProcessGroup", NAME, DONE, "Forgets a group that has stopped."),
    method("supervisor.restart", NONE, DONE, "Stops everything and starts anew."),
    method(
        "supervisor.sendProcessStdin",
        &[("string", "name"), ("string", "chars")],
        DONE,
        "Text for a process's input.",
    ),
    method(
        "supervisor.sendRemoteCommEvent",
        &[("string", "type"), ("string", "data")],
        DONE,
        "An event for listeners.",
    ),
    method("supervisor.shutdown", NONE, DONE, "Stops everything, and supervisord."),
    method("supervisor.signalAllProcesses", &[("string", "signal")], RESULTS, "A signal for every process that runs."),
    method("supervisor.signalProcess", NAME_AND_SIGNAL, DONE, "A signal for a process."),
    method("supervisor.signalProcessGroup", NAME_AND_SIGNAL, RESULTS, "A signal for the processes of a group."),
    waiting("supervisor.startAllProcesses", WAIT, RESULTS, "Starts every process that does not run."),
    waiting("supervisor.startProcess", NAME_AND_WAIT, DONE, "Starts a process."),
    waiting("supervisor.startProcessGroup", NAME_AND_WAIT, RESULTS, "Starts the processes of a group."),
    waiting("supervisor.stopAllProcesses", WAIT, RESULTS, "Stops every process that runs."),
    waiting("supervisor.stopProcess", NAME_AND_WAIT, DONE, "Stops a process."),
    waiting("supervisor.stopProcessGroup", NAME_AND_WAIT, RESULTS, "Stops the processes of a group."),
    method(
        "supervisor.tailProcessLog",
        NAME_AND_PIECE,
        "array [text, size, overflow]",
        "The end of what a process wrote to stdout.",
    ),
    method(
        "supervisor.tailProcessStderrLog",
        NAME_AND_PIECE,
        "array [text, size, overflow]",
        "The end of what a process wrote to stderr.",
    ),
    method(
        "supervisor.tailProcessStdoutLog",
        NAME_AND_PIECE,
        "array [text, size, overflow]",
        "The end of what a process wrote to stdout.",
    ),
    method("system.listMethods", NONE, "array names", "The names of all methods."),
    method("system.methodHelp", NAME, "string help", "What a method is for."),
    method("system.methodSignature", NAME, "array types", "What a method returns and takes."),
    method("system.multicall", &[("array", "calls")], RESULTS, "Several calls in one."),
];

impl FrontMethod {
    /// Free text with its tags, as `system.methodHelp` gives it.
    pub(crate) fn text(&self) -> String {
        let mut text = [" ", self.help, "\n\n"].concat();
        for (kind, name) in self.params {
            text.push_str(&["        @param ", kind, " ", name, "\n"].concat());
        }
        text.push_str(&["        @return ", self.returns, "\n        "].concat());
        text
    }

    /// The type that comes back, then those of the parameters.
    pub(crate) fn signature(&self) -> Vec<&'static str> {
        let returned = self.returns.split(' ').next().unwrap_or_default();
        std::iter::once(returned).chain(self.params.iter().map(|(kind, _)| *kind)).collect()
    }
}
