//! Being started as etcd is: its flags, its defaults, its environment variables.
//!
//! Always holds: a flag that this binary honours does what it does for etcd; another one of etcd's
//! flags gets a warning and has no effect; a flag that neither knows is an error.

mod flags;

use crate::exit::{EXIT_CODES, Exit};
use crate::server::{self, StartFlags};
use clap::Parser;
use flags::{Kind, kind_of};
use std::process::ExitCode;

/// In front of a flag's name, in capitals with underscores, in the environment.
const ENVIRONMENT_PREFIX: &str = "ETCD_";

/// Environment variables of etcd's tools rather than of a member.
const OTHER_TOOLS_PREFIX: &str = "ETCDCTL_";

const HELP: &str = "\
Runs one Synod node with the flags of an etcd member. One or two dashes, `--flag value` or
`--flag=value`, or an environment variable (`ETCD_NAME` for `--name`). Without --data-dir the data
lies in NAME.etcd. etcd's other flags are accepted with a warning and have no effect.";

/// What is left once etcd's way of writing flags was translated.
#[derive(Parser, Debug)]
#[command(name = "etcd", version, about = HELP, after_long_help = EXIT_CODES, max_term_width = 100)]
struct EtcdLine {
    #[command(flatten)]
    flags: StartFlags,
}

/// Arguments as `synod start` takes them, and what to warn of.
#[derive(Debug, PartialEq, Eq, Default)]
struct Translated {
    arguments: Vec<String>,
    warnings: Vec<String>,
}

/// Runs a node that was started as etcd is.
pub(crate) fn run(arguments: Vec<String>) -> ExitCode {
    let environment = std::env::vars().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX));
    let translated = match translate(arguments, environment) {
        Ok(translated) => translated,
        Err(text) => return server::fail(Exit::Usage, &text),
    };
    let line = std::iter::once("etcd".to_owned()).chain(translated.arguments);
    let mut flags = EtcdLine::parse_from(line).flags;
    let default_directory = || format!("{}.etcd", flags.name).into();
    flags.data_dir = Some(flags.data_dir.clone().unwrap_or_else(default_directory));
    server::run(flags, &translated.warnings)
}

/// Flags given in the environment come first, so that arguments overrule them.
fn translate(
    arguments: Vec<String>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Translated, String> {
    let mut given = Vec::new();
    let mut warnings = Vec::new();
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        take_argument(&argument, &mut rest, &mut given, &mut warnings)?;
    }
    let mut out = Vec::new();
    for (variable, value) in environment {
        take_variable(&variable, &value, &given, &mut out, &mut warnings);
    }
    out.extend(given.iter().flat_map(Given::to_arguments));
    Ok(Translated { arguments: out, warnings })
}

/// An honoured flag.
#[derive(Debug)]
struct Given {
    name: String,
    /// `None`: a switch that is on.
    value: Option<String>,
}

impl Given {
    fn to_arguments(&self) -> Vec<String> {
        match &self.value {
            Some(value) => vec![format!("--{}={value}", self.name)],
            None => vec![format!("--{}", self.name)],
        }
    }
}

fn take_argument(
    argument: &str,
    rest: &mut impl Iterator<Item = String>,
    given: &mut Vec<Given>,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    let written = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'));
    let Some(written) = written.filter(|written| !written.is_empty()) else {
        return Err(format!("'{argument}' is not a flag; etcd takes nothing but flags"));
    };
    let (name, value) = match written.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (written, None),
    };
    let mut value_of = |name: &str| match value.clone().or_else(|| rest.next()) {
        Some(value) => Ok(value),
        None => Err(format!("--{name} needs a value")),
    };
    match kind_of(name) {
        Kind::Honoured => {
            replace(given, Given { name: name.to_owned(), value: Some(value_of(name)?) });
        }
        Kind::HonouredSwitch => {
            if is_on(name, value.as_deref())? {
                replace(given, Given { name: name.to_owned(), value: None });
            }
        }
        Kind::Ignored => {
            let value = value_of(name)?;
            warnings.push(format!("--{name} {value} has no effect: synod does not have this flag"));
        }
        Kind::IgnoredSwitch => {
            warnings.push(format!("--{name} has no effect: synod does not have this flag"));
        }
        Kind::Unknown => {
            return Err(format!("--{name} is neither a flag of etcd nor of synod; see --help"));
        }
    }
    Ok(())
}

/// The last one counts, as for etcd.
fn replace(given: &mut Vec<Given>, one: Given) {
    given.retain(|other| other.name != one.name);
    given.push(one);
}

fn is_on(name: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(format!("--{name}: '{other}' is neither true nor false")),
    }
}

fn take_variable(
    variable: &str,
    value: &str,
    given: &[Given],
    out: &mut Vec<String>,
    warnings: &mut Vec<String>,
) {
    let Some(name) = variable.strip_prefix(ENVIRONMENT_PREFIX) else { return };
    if variable.starts_with(OTHER_TOOLS_PREFIX) {
        return;
    }
    let name = name.to_lowercase().replace('_', "-");
    let overruled = given.iter().any(|one| one.name == name);
    match kind_of(&name) {
        Kind::Honoured if !overruled => out.push(format!("--{name}={value}")),
        // A switch is nothing to turn on by an inherited environment: it must be said in words.
        Kind::HonouredSwitch | Kind::Honoured => {}
        Kind::Ignored | Kind::IgnoredSwitch | Kind::Unknown => {
            warnings.push(format!("the environment variable {variable} has no effect"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn of(line: &str) -> Result<Translated, String> {
        translate(words(line), std::iter::empty())
    }

    #[test]
    fn one_dash_or_two_with_or_without_an_equals_sign() {
        let line = "-name=a --data-dir d -listen-client-urls http://127.0.0.1:1 --log-level=warn";
        let expected =
            "--name=a --data-dir=d --listen-client-urls=http://127.0.0.1:1 --log-level=warn";
        assert_eq!(of(line), Ok(Translated { arguments: words(expected), warnings: vec![] }));
    }

    #[test]
    fn etcds_other_flags_get_a_warning_each() {
        let line = "--snapshot-count 5 --enable-v2=false --strict-reconfig-check --name a";
        let translated = of(line).unwrap();
        assert_eq!(translated.arguments, ["--name=a"]);
        assert_eq!(translated.warnings.len(), 3);
        assert!(translated.warnings[0].contains("--snapshot-count"));
    }

    #[test]
    fn unknown_flags_and_words_are_errors() {
        for line in ["--no-such-flag", "-x=1", "serve", "--name"] {
            assert!(of(line).is_err(), "{line}");
        }
    }

    #[test]
    fn arguments_overrule_the_environment() {
        let variables = [("ETCD_NAME", "e"), ("ETCD_DATA_DIR", "d"), ("ETCD_ODD", "1")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let translated = translate(words("--name a"), variables.into_iter()).unwrap();
        assert_eq!(translated.arguments, ["--data-dir=d", "--name=a"]);
        assert_eq!(translated.warnings, ["the environment variable ETCD_ODD has no effect"]);
    }

    #[test]
    fn nothing_becomes_insecure_by_the_environment() {
        let variables = [("ETCD_INSECURE".to_owned(), "true".to_owned())];
        let translated = translate(vec![], variables.into_iter()).unwrap();
        assert_eq!(translated.arguments, Vec::<String>::new());
    }

    #[test]
    fn the_usual_start_of_a_member_is_understood() {
        let line = "etcd --name=n1 --data-dir=/tmp/x --listen-client-urls=http://127.0.0.1:2379 \
                    --advertise-client-urls=http://127.0.0.1:2379 \
                    --listen-peer-urls=http://127.0.0.1:2380 \
                    --initial-advertise-peer-urls=http://127.0.0.1:2380 \
                    --initial-cluster=n1=http://127.0.0.1:2380 --initial-cluster-state=new \
                    --initial-cluster-token=t --log-level=fatal --quota-backend-bytes=100 \
                    --consensus=paxos";
        let flags = EtcdLine::try_parse_from(words(line)).unwrap().flags;
        assert!(server::Plan::of_flags(flags).is_ok());
    }
}
