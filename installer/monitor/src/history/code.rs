//! Figures as few bytes. Zero bytes are "nothing was seen", so that a file begins empty.

/// How a figure is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Whole percent up to 254, in one byte.
    Percent,
    /// From 1 to 10^12, in steps of 12 percent, in one byte.
    Rate,
    /// A 32 bit float.
    Number,
}

/// Steps of a rate for each factor of ten.
const STEPS: f32 = 21.0;

impl Coding {
    /// Bytes of one figure.
    pub fn width(self) -> usize {
        match self {
            Self::Percent | Self::Rate => 1,
            Self::Number => 4,
        }
    }

    /// Writes a figure.
    pub fn encode(self, figure: f32, out: &mut [u8]) {
        match self {
            Self::Percent => out[0] = byte(figure.round()),
            Self::Rate if figure.is_nan() => out[0] = 0,
            Self::Rate if figure < 1.0 => out[0] = 1,
            Self::Rate => out[0] = byte((figure.log10() * STEPS).round() + 1.0),
            // The complement: zero bytes are not a number.
            Self::Number => out[..4].copy_from_slice(&(!figure.to_bits()).to_le_bytes()),
        }
    }

    /// Reads one.
    pub fn decode(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Self::Percent | Self::Rate, [0, ..]) => f32::NAN,
            (Self::Percent, [code, ..]) => f32::from(code - 1),
            (Self::Rate, [1, ..]) => 0.0,
            (Self::Rate, [code, ..]) => 10_f32.powf((f32::from(*code) - 2.0) / STEPS),
            (Self::Number, [a, b, c, d, ..]) => {
                f32::from_bits(!u32::from_le_bytes([*a, *b, *c, *d]))
            }
            _ => f32::NAN,
        }
    }
}

/// One more than a whole number, within a byte; 0 for what is no number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn byte(figure: f32) -> u8 {
    if figure.is_nan() { 0 } else { figure.clamp(0.0, 254.0) as u8 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(coding: Coding, figure: f32) -> f32 {
        let mut bytes = [0; 4];
        coding.encode(figure, &mut bytes);
        coding.decode(&bytes)
    }

    #[test]
    fn figures_come_back_as_well_as_they_are_kept() {
        for percent in [0.0, 1.0, 50.0, 100.0, 254.0] {
            assert!((there_and_back(Coding::Percent, percent) - percent).abs() < 0.5);
        }
        assert!((there_and_back(Coding::Percent, 1e9) - 254.0).abs() < 0.5);
        for rate in [1.0, 150.0, 1e6, 1.25e9] {
            let back = there_and_back(Coding::Rate, rate);
            assert!((back / rate - 1.0).abs() < 0.07, "{rate} came back as {back}");
        }
        for number in [0.0, 19_999.0, -3.5, 1e30] {
            assert_eq!(there_and_back(Coding::Number, number).to_bits(), number.to_bits());
        }
        for coding in [Coding::Percent, Coding::Rate, Coding::Number] {
            assert!(there_and_back(coding, f32::NAN).is_nan());
            assert!(coding.decode(&[0; 4]).is_nan(), "empty files hold nothing");
        }
    }
}
