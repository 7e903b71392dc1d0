//! Whole numbers in every spelling that proto3 JSON allows: `100`, `1e2`, `100.0`, and each in quotes.

use super::tree::Json;

/// The whole number that a value spells, if it spells one.
pub(super) fn whole(value: &Json) -> Option<i128> {
    match value {
        Json::Whole(number) => Some((*number).into()),
        Json::Negative(number) => Some((*number).into()),
        Json::Float(number) => of_float(*number),
        Json::Text(text) => of_text(text),
        Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => None,
    }
}

/// Every f64 without a fraction and below 2^64 is a whole number exactly.
fn of_float(number: f64) -> Option<i128> {
    let in_range = number.abs() <= 18_446_744_073_709_551_616.0;
    (in_range && number.fract() == 0.0).then_some(number as i128)
}

/// Read digit by digit, because an f64 would round.
fn of_text(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
        None => (text, 0),
    };
    let (before, after) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let leading_zero = before.len() > 1 && before.starts_with('0');
    let digits = [before, after].concat();
    if before.is_empty() || leading_zero || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let trimmed = digits.trim_end_matches('0');
    if trimmed.is_empty() {
        return Some(0);
    }
    // How many zeros come after the digits; fewer than none is a fraction.
    let dropped = digits.len() - trimmed.len();
    let zeros = i64::try_from(dropped).ok()? + exponent - i64::try_from(after.len()).ok()?;
    let zeros = u32::try_from(zeros).ok().filter(|zeros| *zeros <= 38)?;
    let number: i128 = trimmed.parse().ok()?;
    let number = number.checked_mul(10_i128.checked_pow(zeros)?)?;
    Some(if negative { -number } else { number })
}

fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // What is longer is no number of any of ours.
    if !plain || digits.len() > 9 {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_whole_number_is_read() {
        let text = |text: &str| whole(&Json::Text(text.into()));
        for spelled in [
            "100", "1e2", "1E+2", "100.0", "1.00e2", "1000e-1", "100.000",
        ] {
            assert_eq!(text(spelled), Some(100), "{spelled}");
        }
        for zero in ["0", "-0", "0.0", "0e99", "0.000e-5"] {
            assert_eq!(text(zero), Some(0), "{zero}");
        }
        assert_eq!(text("-12"), Some(-12));
        assert_eq!(text("18446744073709551615"), Some(u64::MAX.into()));
        assert_eq!(text("1.8446744073709551615e19"), Some(u64::MAX.into()));
        assert_eq!(text("18446744073709551616"), Some(1 << 64));
        for none in [
            "",
            " 1",
            "1 ",
            "+1",
            "01",
            "-01",
            "1.",
            ".5",
            "0x1",
            "1e",
            "1e+",
            "1.5",
            "1e-1",
            "1e999",
            "1e9999999999",
            "NaN",
            "Infinity",
            "ten",
            "1_000",
            "--1",
            "1.5.5",
        ] {
            assert_eq!(text(none), None, "{none}");
        }
        assert_eq!(whole(&Json::Float(1e2)), Some(100));
        assert_eq!(whole(&Json::Float(-0.0)), Some(0));
        assert_eq!(whole(&Json::Float(1.5)), None);
        assert_eq!(
            whole(&Json::Float(18_446_744_073_709_551_616.0)),
            Some(1 << 64)
        );
        assert_eq!(whole(&Json::Float(1e300)), None);
        assert_eq!(whole(&Json::Bool(true)), None);
    }
}
