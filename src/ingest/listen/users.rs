//! Who may connect: one `user:sha256:<hex of salt>:<hex of SHA-256(salt, password)>` a line.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

/// Read once, at start. Blank lines and lines that begin with `#` say nothing.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<String, Password>);

#[derive(Debug)]
struct Password {
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Users {
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the users in {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a list of users", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut users = HashMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, password) = parse_line(line).with_context(|| {
                format!("line {number}: expected user:sha256:<hex of salt>:<hex of digest>")
            })?;
            if users.insert(name.to_owned(), password).is_some() {
                bail!("line {number}: the user {name} is there twice");
            }
        }
        Ok(Self(users))
    }

    pub(super) fn knows(&self, name: &str, password: &str) -> bool {
        let Some(known) = self.0.get(name) else { return false };
        let digest = Sha256::new().chain_update(&known.salt).chain_update(password).finalize();
        // Every byte is looked at, so that the time taken says nothing of the digest.
        known.digest.iter().zip(digest).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

fn parse_line(line: &str) -> Option<(&str, Password)> {
    let (name, rest) = line.split_once(":sha256:")?;
    let (salt, digest) = rest.split_once(':')?;
    let digest = unhex(digest).filter(|digest| digest.len() == 32)?;
    (!name.is_empty()).then_some((name, Password { salt: unhex(salt)?, digest }))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.as_bytes().chunks(2).map(digits).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn line(name: &str, password: &str) -> String {
        let digest = Sha256::new().chain_update([0xab, 0x01]).chain_update(password).finalize();
        format!("{name}:sha256:ab01:{digest:x}\n")
    }

    #[test]
    fn a_user_is_known_by_name_and_password() {
        let text = format!("# the devices\n\n{}{}", line("a/b/c", "secret"), line("gw", "普陀"));
        let users = Users::parse(&text).unwrap();
        assert!(users.knows("a/b/c", "secret") && users.knows("gw", "普陀"));
        assert!(!users.knows("a/b/c", "Secret") && !users.knows("a/b/c", ""));
        assert!(!users.knows("nobody", "secret"));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error_that_names_it() {
        let good = line("a", "b");
        for bad in ["a", "a:b", "a:sha256:zz:00", "a:sha256:00:00", ":sha256:00:11", "a:sha256:0é:"]
        {
            let error = format!("{:#}", Users::parse(&format!("{good}{bad}")).unwrap_err());
            assert!(error.starts_with("line 2: expected user:sha256:"), "{error}");
        }
        let error = Users::parse(&format!("{good}{good}")).unwrap_err().to_string();
        assert_eq!(error, "line 2: the user a is there twice");
    }
}
