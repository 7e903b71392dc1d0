//! What messages cost: whole millionths of the operator's currency, written as a decimal.

/// Millionths in one.
const ONE: u64 = 1_000_000;
/// More than that no message costs: a slip of the hand.
const MOST: u64 = 1_000 * ONE;

/// Reads an amount such as `0.0075`: at most six decimals, no sign, no exponent, at most 1000.
pub fn read_cost(text: &str) -> Option<u64> {
    read_amount(text).filter(|cost| *cost <= MOST)
}

/// Reads an amount such as `250`: as [`read_cost`], at most nine digits before the decimals.
pub fn read_amount(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, 9) || !digits(decimals, 6) {
        return None;
    }
    let decimals: u64 = format!("{decimals:0<6}").parse().ok()?;
    Some(whole.parse::<u64>().ok()? * ONE + decimals)
}

/// Writes an amount as [`read_cost`] reads it, without zeros at its end.
pub fn write_cost(cost: u64) -> String {
    let (whole, decimals) = (cost / ONE, cost % ONE);
    let text = format!("{whole}.{decimals:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_as_decimals() {
        for (text, cost) in [
            ("0.0075", 7_500),
            ("0", 0),
            ("1", ONE),
            ("0.000001", 1),
            ("12.5", 12_500_000),
            ("1000", MOST),
        ] {
            assert_eq!(read_cost(text), Some(cost), "{text}");
            assert_eq!(write_cost(cost), text);
        }
        assert_eq!(read_cost("0.50"), Some(500_000));
        for wrong in [
            "",
            ".",
            ".5",
            "5.",
            "-1",
            "+1",
            "1e3",
            "0,5",
            "0.0000001",
            "1000.1",
            "1001",
            "٣",
            " 1",
            "1.2.3",
            "10000",
            "99999999999999999999",
        ] {
            assert_eq!(read_cost(wrong), None, "{wrong:?}");
        }
        assert_eq!(write_cost(u64::MAX), "18446744073709.551615");
    }
}
