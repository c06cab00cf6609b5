//! Where a word stands in a line.

/// Byte ranges, in their order. Without regard to the case of Latin letters.
pub(crate) fn matches(text: &str, wanted: &str) -> Vec<(usize, usize)> {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    let mut found = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    let mut from = 0;
    while let Some(window) = text.get(from..from + wanted.len()) {
        if window.eq_ignore_ascii_case(wanted) {
            found.push((from, from + wanted.len()));
            from += wanted.len();
        } else {
            from += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(matches("Error: an ERROR", "error"), [(0, 5), (10, 15)]);
        assert_eq!(matches("aaaa", "aa"), [(0, 2), (2, 4)]);
        assert_eq!(matches("日本語と日本", "日本"), [(0, 6), (12, 18)]);
        assert_eq!(matches("abc", ""), []);
        assert_eq!(matches("ab", "abc"), []);
    }
}
