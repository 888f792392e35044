//! Arguments: flags anywhere, words in order. After `--` everything is a word.

use super::Failure;

/// What is left of a command line.
#[derive(Debug)]
pub struct Args {
    flags: Vec<String>,
    after_dashes: Vec<String>,
}

impl Args {
    /// Of arguments without the program's name.
    pub fn new(mut arguments: Vec<String>) -> Args {
        let after_dashes = match arguments.iter().position(|argument| argument == "--") {
            Some(at) => {
                let mut rest = arguments.split_off(at);
                rest.remove(0);
                rest
            }
            None => Vec::new(),
        };
        Args { flags: arguments, after_dashes }
    }

    /// The first word.
    pub fn first(&self) -> Option<&str> {
        self.flags.first().map(String::as_str)
    }

    /// Takes a flag; false where it is not there.
    pub fn flag(&mut self, name: &str) -> bool {
        let at = self.flags.iter().position(|argument| argument == name);
        at.map(|at| self.flags.remove(at)).is_some()
    }

    /// Takes a flag and its value, `--name VALUE` or `--name=VALUE`.
    pub fn value(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let with_equals = format!("{name}=");
        let is_it = |argument: &String| argument == name || argument.starts_with(&with_equals);
        let Some(at) = self.flags.iter().position(is_it) else {
            return Ok(None);
        };
        let argument = self.flags.remove(at);
        if let Some(value) = argument.strip_prefix(&with_equals) {
            return Ok(Some(value.to_string()));
        }
        if at == self.flags.len() {
            return Err(Failure::Usage(format!("{name} needs a value")));
        }
        Ok(Some(self.flags.remove(at)))
    }

    /// The same, as a number.
    pub fn number(&mut self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.value(name)? else {
            return Ok(None);
        };
        let number = text.parse();
        number.map(Some).map_err(|_| Failure::Usage(format!("{name} {text}: not a number")))
    }

    /// The words. A flag that nobody took is an error.
    pub fn words(self) -> Result<Vec<String>, Failure> {
        if let Some(flag) = self.flags.iter().find(|argument| argument.starts_with("--")) {
            return Err(Failure::Usage(format!("{flag} is no flag of this command")));
        }
        Ok(self.flags.into_iter().chain(self.after_dashes).collect())
    }
}
