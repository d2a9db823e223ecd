//! Pictures that an organisation brings along: its logo, and the icons of its applications.

/// What a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Portable Network Graphics.
    Png,
    /// Scalable Vector Graphics. It is text that can hold anything: whoever gives it out forbids that to do anything.
    Svg,
}

/// The most bytes of an icon: a page has many.
pub const LARGEST_ICON: usize = 16 * 1024;

impl Picture {
    /// What these bytes are; none where they are neither.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Some(Self::Png);
        }
        let is_text = std::str::from_utf8(bytes).is_ok();
        // Comments and declarations may come first, as many as somebody likes.
        (is_text && bytes.windows(4).any(|four| four == b"<svg")).then_some(Self::Svg)
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_what_is_in_it() {
        assert_eq!(Picture::of(b"\x89PNG\r\n\x1a\n...."), Some(Picture::Png));
        let drawn = b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        assert_eq!(Picture::of(drawn), Some(Picture::Svg));
        let late = [format!("<!-- {} -->", "x".repeat(4000)).as_bytes(), b"<svg/>"].concat();
        assert_eq!(Picture::of(&late), Some(Picture::Svg));
        for other in [&b""[..], b"<html>", b"GIF89a", b"\xff<svg>"] {
            assert_eq!(Picture::of(other), None);
        }
    }
}
