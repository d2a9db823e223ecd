//! An organisation's colour, as far as it can be read: nothing else is taken.

use std::fmt;

use serde::Deserialize;

/// How much lighter or darker a text must be than what it stands on (WCAG 2.2, 1.4.3, level AA).
const ENOUGH: f64 = 4.5;

/// What links and buttons stand on, and what stands on buttons: as `assets/lockstep.css` has them.
const LIGHT: [Colour; 3] = [Colour([0xff, 0xff, 0xff]), Colour([0xf5, 0xf6, 0xf8]), Colour([0xff, 0xff, 0xff])];
const DARK: [Colour; 3] = [Colour([0x14, 0x17, 0x1b]), Colour([0x1d, 0x22, 0x28]), Colour([0x10, 0x15, 0x1c])];

/// A colour: red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Colour([u8; 3]);

/// The text is no colour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a colour is written like #1f5fbf")]
pub struct InvalidColour;

impl Colour {
    /// Whether what has this colour can be read where the ground is light.
    pub fn is_readable_on_light(self) -> bool {
        LIGHT.iter().all(|ground| self.contrast(*ground) >= ENOUGH)
    }

    /// The same where the ground is dark.
    pub fn is_readable_on_dark(self) -> bool {
        DARK.iter().all(|ground| self.contrast(*ground) >= ENOUGH)
    }

    /// The ratio of the two luminances (WCAG 2.2, "contrast ratio").
    fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl TryFrom<String> for Colour {
    type Error = InvalidColour;

    fn try_from(text: String) -> Result<Self, InvalidColour> {
        let mut bytes = [0; 3];
        let digits = text.strip_prefix('#').ok_or(InvalidColour)?;
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| InvalidColour)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        Colour::try_from(text.to_owned()).expect("a colour")
    }

    #[test]
    fn a_colour_is_six_digits_and_nothing_that_ends_a_rule() {
        assert_eq!(colour("#1F5fbf").to_string(), "#1f5fbf");
        for text in ["", "red", "#fff", "1f5fbf", "#1f5fbg", "#1f5fbf;}", "url(x)"] {
            assert_eq!(Colour::try_from(text.to_owned()), Err(InvalidColour), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        assert!((colour("#000000").contrast(colour("#ffffff")) - 21.0).abs() < 1e-9);
        // Our own, on both grounds.
        assert!(colour("#1f5fbf").is_readable_on_light() && !colour("#1f5fbf").is_readable_on_dark());
        assert!(colour("#8db8f5").is_readable_on_dark() && !colour("#8db8f5").is_readable_on_light());
        assert!(!colour("#ffcc00").is_readable_on_light(), "yellow on white");
    }
}
