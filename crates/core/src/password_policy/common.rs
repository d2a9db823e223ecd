//! The commonest passwords, which an attacker tries first.
//!
//! The list beside this file holds the 11,611 entries of 8 characters or more of the crate `zxcvbn` 3.1.1
//! (`PASSWORDS` in `src/frequency_lists.rs`, MIT licence, which is kept beside the list), in lower case, one a line,
//! in the order of their bytes, so that it is searched where it lies. It is no breach corpus: it holds few long
//! passwords, because few long ones are common.

/// Whether `password` is on the list, in any case, once or several times over (`passwordpassword`).
///
/// `password` is lower-case text; whoever calls wipes it.
pub(super) fn is_common(password: &str) -> bool {
    let repeats_a_common_one = |unit: usize| {
        let part = password.get(..unit);
        part.is_some_and(|part| {
            password.as_bytes().chunks(unit).all(|chunk| chunk == part.as_bytes()) && is_listed(part)
        })
    };
    (SHORTEST..=password.len()).any(repeats_a_common_one)
}

/// One password a line, sorted by their bytes.
const LIST: &str = include_str!("common_passwords.txt");

/// The length in bytes of the shortest one.
pub(super) const SHORTEST: usize = 8;

/// Halves the list until one line is left.
pub(super) fn is_listed(password: &str) -> bool {
    let (mut start, mut end) = (0, LIST.len());
    while start < end {
        let middle = start + (end - start) / 2;
        // The line that the middle is in. Both bounds stay at starts of lines, so it lies between them.
        let line_start = LIST[..middle].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = LIST[middle..].find('\n').map_or(LIST.len(), |newline| middle + newline);
        match LIST[line_start..line_end].cmp(password) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => start = line_end + 1,
            std::cmp::Ordering::Greater => end = line_start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_large_enough_sorted_and_lower_case() {
        let lines: Vec<&str> = LIST.lines().collect();
        assert!(lines.len() >= 3000, "{} entries (OWASP ASVS 5.0, 6.2.4)", lines.len());
        assert!(lines.is_sorted() && LIST.is_ascii() && LIST.ends_with('\n'));
        for line in lines {
            assert!(line.len() >= SHORTEST && line == line.trim().to_lowercase(), "{line}");
        }
    }

    #[test]
    fn every_entry_is_found() {
        for line in LIST.lines() {
            assert!(is_common(line), "{line}");
        }
    }

    #[test]
    fn what_is_not_listed_is_not_found() {
        for password in ["", "a", "zzzzzzzzzzzz~", "!", "correct horse battery staple", "password1\n", "émile-zola"] {
            assert!(!is_common(password), "{password:?}");
        }
    }

    #[test]
    fn a_common_password_said_twice_is_still_common() {
        assert!(is_common("passwordpassword"));
        assert!(is_common("iloveyouiloveyouiloveyou"));
        assert!(!is_common("passwordpasswor"));
        assert!(!is_common("passwordqpasswordq"));
        assert!(!is_common("passwordhorsecar"));
    }
}
