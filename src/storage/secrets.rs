//! Names, keys and passwords for stores.
//!
//! Promise: looked up in the environment first, then in the file that `HEADWATER_SECRETS` names, then in Amazon's own file.
//! Invariant: no value is ever displayed. A secrets file that every user of the machine may read is not used.
//! Not here: Hadoop's configuration and Kerberos's tickets, which the HDFS client finds by itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The permissions of users who are neither the owner nor of the group.
const OTHERS: u32 = 0o007;

/// Values by the names that they have in the environment.
#[derive(Clone, Default)]
pub struct Secrets {
    environment: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    amazon: BTreeMap<String, String>,
}

/// All that this process knows, read once. Errors: a sentence, where the secrets file cannot be read.
pub fn known() -> Result<&'static Secrets, String> {
    static KNOWN: LazyLock<Result<Secrets, String>> = LazyLock::new(Secrets::find);
    KNOWN.as_ref().map_err(Clone::clone)
}

impl Secrets {
    fn find() -> Result<Self, String> {
        // What is no text is none of what is looked for here.
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let variables = std::env::vars_os().filter_map(text);
        let environment: BTreeMap<_, _> = variables.filter(|(_, value)| !value.is_empty()).collect();
        let file = match environment.get("HEADWATER_SECRETS") {
            Some(path) => from_file(path)?,
            None => BTreeMap::new(),
        };
        let home = environment.get("HOME").map(|home| Path::new(home).join(".aws/credentials"));
        let path = environment.get("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from).or(home);
        // Most people have no such file.
        let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let profile = environment.get("AWS_PROFILE").map_or("default", String::as_str);
        let amazon = profile_of(&text, profile);
        Ok(Self { environment, file, amazon })
    }

    /// An environment of these variables alone.
    #[cfg(test)]
    pub fn given(variables: &[(&str, &str)]) -> Self {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { environment, ..Self::default() }
    }

    /// The value of `name`; for a service, of `name` followed by `_` and the service in capitals, if there is one.
    pub fn get(&self, name: &str, service: &str) -> Option<&str> {
        let capitals = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let own = format!("{name}_{}", service.chars().map(capitals).collect::<String>());
        let found =
            [own.as_str(), name].into_iter().find_map(|name| self.environment.get(name).or(self.file.get(name)));
        found.map(String::as_str)
    }

    /// All that begins with `AWS_`.
    pub fn of_amazon(&self) -> BTreeMap<String, String> {
        let mut all = self.amazon.clone();
        // Half of a pair of keys from one place and half from another is none.
        for from in [&self.file, &self.environment] {
            if from.contains_key("AWS_ACCESS_KEY_ID") {
                all.remove("AWS_SESSION_TOKEN");
            }
            all.extend(
                from.iter()
                    .filter(|(name, _)| name.starts_with("AWS_"))
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        all
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// What is in the secrets file. Errors: a sentence.
fn from_file(path: &str) -> Result<BTreeMap<String, String>, String> {
    let found = std::fs::metadata(path)
        .and_then(|found| if found.is_file() { Ok(found) } else { Err(io::Error::other("it is not a regular file")) });
    let unread = |error: io::Error| format!("the secrets in {path} cannot be read: {error}");
    // As ssh does it; a group may be let in, as where a scheduler hands out secrets.
    if found.map_err(unread)?.permissions().mode() & OTHERS != 0 {
        return Err(format!("the secrets in {path} are open to every user of this machine: `chmod o= {path}`"));
    }
    assignments(&std::fs::read_to_string(path).map_err(unread)?)
        .map_err(|line| format!("the secrets in {path}: line {line} is not of the form NAME=value"))
}

/// Lines of `NAME=value`; empty ones and those that begin with `#` are passed over. Errors: the number of a line that is none.
fn assignments(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=').ok_or(number)?;
            let value = value.trim();
            let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
            Ok((name.trim().to_owned(), quoted.unwrap_or(value).to_owned()))
        })
        .collect()
}

/// The keys of a profile in Amazon's file, by their names in the environment.
fn profile_of(text: &str, profile: &str) -> BTreeMap<String, String> {
    let head = format!("[{profile}]");
    let lines = text.lines().map(str::trim).skip_while(|line| *line != head).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (name.trim().to_ascii_uppercase(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn where_a_value_comes_from() {
        let secrets = Secrets {
            environment: map(&[("ST_KEY", "a"), ("ST_USER_MY_SWIFT", "b"), ("AWS_ACCESS_KEY_ID", "e")]),
            file: map(&[("ST_KEY", "c"), ("ST_USER", "d"), ("AWS_REGION", "f")]),
            amazon: map(&[("AWS_ACCESS_KEY_ID", "g"), ("AWS_SESSION_TOKEN", "h")]),
        };
        let rows = [
            ("ST_KEY", "x", Some("a")),
            ("ST_USER", "x", Some("d")),
            ("ST_USER", "my-swift", Some("b")),
            ("ST_AUTH", "x", None),
        ];
        for (name, service, expected) in rows {
            assert_eq!(secrets.get(name, service), expected, "{name} {service}");
        }
        assert_eq!(secrets.of_amazon(), map(&[("AWS_ACCESS_KEY_ID", "e"), ("AWS_REGION", "f")]));
        assert_eq!(format!("{secrets:?}"), "Secrets");
    }

    #[test]
    fn a_file_that_is_open_to_all_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        std::fs::write(&path, "A=1\n").unwrap();
        for (mode, is_taken) in [(0o600, true), (0o640, true), (0o660, true), (0o644, false), (0o602, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = from_file(path.to_str().unwrap());
            assert_eq!(found.is_ok(), is_taken, "{mode:o}: {found:?}");
            assert!(found.map_or_else(|error| error.contains("chmod o="), |found| found == map(&[("A", "1")])));
        }
        assert!(from_file(dir.path().to_str().unwrap()).unwrap_err().contains("not a regular file"));
    }

    #[test]
    fn files_of_secrets() {
        let text = "# mine\n\nA=1\nexport B = \"2 3\"\n C='=' \nD=";
        assert_eq!(assignments(text), Ok(map(&[("A", "1"), ("B", "2 3"), ("C", "="), ("D", "")])));
        assert_eq!(assignments("A=1\nsecret"), Err(2));
        let text =
            "[other]\naws_access_key_id = x\n[default]\naws_access_key_id = a\naws_secret_access_key=b=\n[more]\nc=d";
        assert_eq!(profile_of(text, "default"), map(&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b=")]));
        assert!(profile_of(text, "none").is_empty());
    }
}
