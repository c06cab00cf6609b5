//! `accept-encoding`: which of the variants that lie ready a client takes.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Encoding::Brotli => ".br",
            Encoding::Gzip => ".gz",
            Encoding::Identity => "",
        }
    }

    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Encoding::Brotli => Some("br"),
            Encoding::Gzip => Some("gzip"),
            Encoding::Identity => None,
        }
    }
}

/// The smallest first. Plain bytes are always last and always there: a client that refuses even those gets them anyway,
/// which RFC 9110 allows and which serves it better than nothing.
pub(crate) fn accepted(header: &str) -> Vec<Encoding> {
    let mut accepted: Vec<Encoding> = [(Encoding::Brotli, "br"), (Encoding::Gzip, "gzip")]
        .into_iter()
        .filter(|(_, name)| is_accepted(header, name))
        .map(|(encoding, _)| encoding)
        .collect();
    accepted.push(Encoding::Identity);
    accepted
}

fn is_accepted(header: &str, name: &str) -> bool {
    let quality = |wanted: &str| {
        header.split(',').find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            if !parts.next()?.eq_ignore_ascii_case(wanted) {
                return None;
            }
            let quality = parts
                .find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")))
                .map_or(Ok(1.0), str::parse::<f32>);
            Some(quality.is_ok_and(|q| q > 0.0))
        })
    };
    quality(name).or_else(|| quality("*")).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::{
        Encoding::{Brotli, Gzip, Identity},
        accepted,
    };

    #[test]
    fn headers() {
        for (header, expected) in [
            ("gzip, deflate, br, zstd", &[Brotli, Gzip, Identity][..]),
            ("BR;Q=0.5,gzip;q=1.0", &[Brotli, Gzip, Identity]),
            ("br;q=0, gzip", &[Gzip, Identity]),
            ("br; q=0.000, *", &[Gzip, Identity]),
            ("*", &[Brotli, Gzip, Identity]),
            ("*;q=0", &[Identity]),
            ("identity", &[Identity]),
            ("", &[Identity]),
            ("brotli, x-gzip", &[Identity]),
            ("br;q=nonsense", &[Identity]),
            (",,;;q=,", &[Identity]),
        ] {
            assert_eq!(accepted(header), expected, "{header:?}");
        }
    }
}
