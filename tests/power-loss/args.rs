//! The command line.

use super::gateway::KINDS;
use std::path::PathBuf;

/// How many crash states of each workload where `--states` does not say.
const STATES: u64 = 60;

/// What `--help` prints.
pub const USAGE: &str = "\
usage: power-loss [--states N] [--seed S] [--workload NAME]... [--keep DIR] [--without KIND]
       power-loss --repeat DIR [--states N --seed S --state K]

Cuts the power of a gateway at work, on a disk of which every write and flush is logged, and checks what is left.

  --states N       crash states of each workload; default 60; the controls always have 100
  --seed S         what chance starts from; default: the clock's; printed
  --workload NAME  only this one (several: say it again); the controls always run
  --keep DIR       where a recording goes whose states show harm; default: a folder in the temporary folder
  --repeat DIR     check a kept recording again, without the controls
  --state K        only this state; its disk, as yet unmounted, is left in DIR as state-K.img
  --without KIND   take one kind of sync away from the agent (fsync-file, fsync-folder, fdatasync, syncfs): harm must be found
  --list           print the names of the workloads
";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    pub states: u64,
    pub seed: Option<u64>,
    pub workloads: Vec<String>,
    pub keep: Option<PathBuf>,
    pub repeat: Option<PathBuf>,
    pub state: Option<u64>,
    pub without: Option<String>,
    pub list: bool,
    pub help: bool,
}

impl Args {
    /// Reads them; the error is for stderr.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Args, String> {
        let mut args = Args {
            states: STATES,
            seed: None,
            workloads: Vec::new(),
            keep: None,
            repeat: None,
            state: None,
            without: None,
            list: false,
            help: false,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--states" => args.states = number(&word, &value()?)?,
                "--seed" => args.seed = Some(number(&word, &value()?)?),
                "--workload" => args.workloads.push(value()?),
                "--keep" => args.keep = Some(value()?.into()),
                "--repeat" => args.repeat = Some(value()?.into()),
                "--state" => args.state = Some(number(&word, &value()?)?),
                "--without" => args.without = Some(value()?),
                "--list" => args.list = true,
                "-h" | "--help" => args.help = true,
                _ => return Err(format!("unknown: {word}")),
            }
        }
        args.check()?;
        Ok(args)
    }

    fn check(&self) -> Result<(), String> {
        if self.states == 0 {
            return Err("--states needs a number above 0".to_string());
        }
        if self.without.as_ref().is_some_and(|kind| !KINDS.contains(&kind.as_str())) {
            return Err(format!("--without needs one of {KINDS:?}"));
        }
        if self.state.is_some() && (self.repeat.is_none() || self.seed.is_none()) {
            return Err("--state needs --repeat, and --states and --seed as they were printed".to_string());
        }
        if self.state.is_some_and(|state| state >= self.states) {
            return Err("--state counts from 0 and is below --states".to_string());
        }
        Ok(())
    }
}

fn number(word: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{word} {text}: not a number"))
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_string))
    }

    #[test]
    fn what_is_asked_for() {
        let args = parse("--seed 7 --states 2000 --workload otau --workload config").unwrap();
        assert_eq!((args.states, args.seed), (2000, Some(7)));
        assert_eq!(args.workloads, ["otau", "config"]);
        assert!(parse("--repeat dir --states 60 --seed 7 --state 59").is_ok());
    }

    #[test]
    fn what_makes_no_sense_says_so() {
        for line in [
            "--states",
            "--states x",
            "--states 0",
            "--state 1",
            "--without sync",
            "--repeat dir --state 1",
            "--repeat dir --seed 1 --states 5 --state 5",
            "x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
