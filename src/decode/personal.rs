//! Which keys name a person's credential. What stands behind them is neither stored nor shown.

/// Words that a key is, or has as one of its parts (`card_no`, `userPhone`).
pub(crate) const WORDS: &[&str] = &[
    "card",
    "cardid",
    "cardno",
    "carduid",
    "face",
    "faceid",
    "fingerprint",
    "idcard",
    "imsi",
    "licenseplate",
    "mac",
    "macaddr",
    "macaddress",
    "mobile",
    "openid",
    "passport",
    "phone",
    "phoneno",
    "phonenumber",
    "plate",
    "plateno",
    "platenumber",
];
/// The same in Chinese, where words have no borders.
pub(crate) const SIGNS: &[&str] =
    &["手机", "电话", "身份证", "卡号", "车牌", "人脸", "指纹", "护照"];

/// Whether a key, or any word of a text, names one. A metric of the device's own profile is never
/// asked about.
pub(crate) fn is_in(text: &str) -> bool {
    let mut pieces = text.split(|c: char| !c.is_alphanumeric());
    pieces.any(|piece| is_word(piece) || humps(piece).any(is_word))
        || !text.is_ascii() && SIGNS.iter().any(|sign| text.contains(sign))
}

/// The parts of `camelCase`.
fn humps(piece: &str) -> impl Iterator<Item = &str> {
    let mut rest = piece;
    std::iter::from_fn(move || {
        let pairs = rest.as_bytes().windows(2);
        let is_border = |pair: &[u8]| matches!(pair, [b'a'..=b'z', b'A'..=b'Z']);
        let end = pairs.into_iter().position(is_border).map_or(rest.len(), |border| border + 1);
        let (hump, after) = rest.split_at_checked(end)?;
        rest = after;
        (!hump.is_empty()).then_some(hump)
    })
}

fn is_word(part: &str) -> bool {
    (3..=12).contains(&part.len()) && WORDS.iter().any(|word| word.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_however_they_are_written() {
        for key in [
            "card_no",
            "CardNo",
            "userPhone",
            "user-phone",
            "phone",
            "id_card",
            "IDCARD",
            "plate",
            "wifi_mac",
            "face_id",
            "手机号",
            "licensePlate",
            "license_plate",
        ] {
            assert!(is_in(key), "{key}");
        }
        for key in ["temp_c", "machine", "facet", "interface", "template", "discard", "", "_", "门"]
        {
            assert!(!is_in(key), "{key}");
        }
        assert!(is_in(r#"{"a":1,"card_no":"1"}"#));
    }
}
