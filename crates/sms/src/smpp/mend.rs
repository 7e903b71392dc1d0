//! What providers write otherwise than SMPP says, set right before the library reads it: it would end the line, and
//! the provider would send the same again over the next one.

use tokio::io::ReadBuf;
use tracing::warn;

/// Bytes of a header: length, id, status and number of a command, 4 bytes each.
const HEADER: usize = 16;
const DELIVER_SM: u32 = 0x05;
const SUBMIT_SM_RESP: u32 = 0x8000_0004;
const BIND_RESPS: [u32; 2] = [0x8000_0002, 0x8000_0009];
/// What the fields hold at most, without the zero byte at their end.
const ADDRESS: usize = 20;
const MESSAGE_ID: usize = 64;
const SYSTEM_ID: usize = 15;
/// The optional parameters that are looked at.
const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
const MESSAGE_PAYLOAD: u16 = 0x0424;
const MESSAGE_STATE: u16 = 0x0427;

/// Takes what comes in, and gives it out command by command.
#[derive(Default)]
pub(super) struct Mender {
    /// The beginning of a command.
    raw: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
    /// What comes in is no SMPP: the library shall say so.
    lost: bool,
}

impl Mender {
    /// `longest` is how long a command may be.
    pub(super) fn add(&mut self, bytes: &[u8], longest: usize) {
        self.raw.extend_from_slice(bytes);
        let mut read = 0;
        while let Some(length) = self.raw[read..].first_chunk() {
            let length = u32::from_be_bytes(*length);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            self.lost |= !(HEADER..=longest).contains(&length);
            if self.lost {
                break;
            }
            let Some(command) = self.raw.get(read..read + length) else {
                break;
            };
            read += length;
            mend(command, &mut self.ready);
        }
        self.raw.drain(..read);
        if self.lost {
            self.end();
        }
    }

    /// Nothing more comes in.
    pub(super) fn end(&mut self) {
        self.ready.append(&mut self.raw);
    }

    /// Whether there is nothing to give out.
    pub(super) fn is_empty(&self) -> bool {
        self.given == self.ready.len()
    }

    pub(super) fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = &self.ready[self.given..];
        let most = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..most]);
        self.given += most;
        if self.is_empty() {
            self.ready.clear();
            self.given = 0;
        }
    }
}

/// Writes a whole command as the library reads it. Its header is whole.
fn mend(command: &[u8], to: &mut Vec<u8>) {
    let (header, body) = command.split_at(HEADER);
    let id = [header[4], header[5], header[6], header[7]];
    let mended = match u32::from_be_bytes(id) {
        DELIVER_SM => deliver(body).unwrap_or_else(|| {
            warn!("a deliver_sm cannot be read and is passed over");
            write_deliver(&Deliver::default())
        }),
        // Some send none beside an error.
        _ if body.is_empty() => Vec::new(),
        SUBMIT_SM_RESP => ended(body, MESSAGE_ID),
        id if BIND_RESPS.contains(&id) => ended(body, SYSTEM_ID),
        _ => body.to_vec(),
    };
    let length = u32::try_from(HEADER + mended.len()).unwrap_or(u32::MAX);
    to.extend(length.to_be_bytes());
    to.extend(&header[4..]);
    to.extend(mended);
}

/// What is looked at of a deliver_sm.
#[derive(Default)]
struct Deliver<'a> {
    source_type: [u8; 2],
    source: &'a [u8],
    esm_class: u8,
    data_coding: u8,
    text: &'a [u8],
    id: Option<&'a [u8]>,
    state: Option<u8>,
    payload: Option<&'a [u8]>,
}

/// A deliver_sm with what is looked at, and nothing else. `None` when it ends within a field that must be there.
fn deliver(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = body;
    text_field(&mut rest)?;
    let source_type = [byte(&mut rest)?, byte(&mut rest)?];
    let source = text_field(&mut rest)?;
    bytes(&mut rest, 2)?;
    text_field(&mut rest)?;
    let esm_class = byte(&mut rest)?;
    bytes(&mut rest, 2)?;
    text_field(&mut rest)?;
    text_field(&mut rest)?;
    bytes(&mut rest, 2)?;
    let data_coding = byte(&mut rest)?;
    bytes(&mut rest, 1)?;
    let length = byte(&mut rest)?;
    let mut deliver = Deliver {
        source_type,
        source,
        esm_class,
        data_coding,
        text: bytes(&mut rest, length.into())?,
        ..Deliver::default()
    };
    while let Some((tag, value)) = parameter(&mut rest) {
        match tag {
            RECEIPTED_MESSAGE_ID => deliver.id = Some(value),
            MESSAGE_PAYLOAD => deliver.payload = Some(value),
            MESSAGE_STATE => deliver.state = value.first().copied(),
            _ => {}
        }
    }
    Some(write_deliver(&deliver))
}

fn write_deliver(deliver: &Deliver<'_>) -> Vec<u8> {
    let mut to = vec![0];
    to.extend(deliver.source_type);
    to.extend(ended(deliver.source, ADDRESS));
    // The receiver's type and plan, and no address.
    to.extend([0, 0, 0]);
    to.push(deliver.esm_class);
    // protocol_id, priority_flag, two empty times, registered_delivery, replace_if_present_flag.
    to.extend([0, 0, 0, 0, 0, 0]);
    to.extend([deliver.data_coding, 0]);
    to.push(u8::try_from(deliver.text.len()).unwrap_or(0));
    to.extend(deliver.text);
    let id = deliver.id.map(|id| ended(id, MESSAGE_ID));
    let state = deliver.state.map(|state| vec![state]);
    let payload = deliver.payload.map(<[u8]>::to_vec);
    for (tag, value) in [
        (RECEIPTED_MESSAGE_ID, id),
        (MESSAGE_STATE, state),
        (MESSAGE_PAYLOAD, payload),
    ] {
        let Some(value) = value else { continue };
        to.extend(tag.to_be_bytes());
        to.extend(u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
        to.extend(value);
    }
    to
}

/// A text of ASCII up to its zero byte, or to the end where there is none, and then one.
fn ended(text: &[u8], most: usize) -> Vec<u8> {
    let text = text.iter().take_while(|byte| **byte != 0).take(most);
    let ascii = text.map(|byte| if byte.is_ascii() { *byte } else { b'?' });
    ascii.chain([0]).collect()
}

fn text_field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == 0)?;
    let text = &rest[..end];
    *rest = &rest[end + 1..];
    Some(text)
}

fn bytes<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    bytes(rest, 1).map(|byte| byte[0])
}

/// An optional parameter; `None` at the end, and where one is cut off.
fn parameter<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let tag = u16::from_be_bytes([byte(rest)?, byte(rest)?]);
    let length = u16::from_be_bytes([byte(rest)?, byte(rest)?]);
    Some((tag, bytes(rest, length.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: usize = 70_000;

    fn out(mender: &mut Mender) -> Vec<u8> {
        let mut space = vec![0; 4_096];
        let mut buffer = ReadBuf::new(&mut space);
        mender.give(&mut buffer);
        buffer.filled().to_vec()
    }

    fn command(id: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + body.len()).unwrap();
        let words = [length, id, 0, 7];
        let header = words.into_iter().flat_map(u32::to_be_bytes);
        header.chain(body.iter().copied()).collect()
    }

    fn mended(id: u32, body: &[u8]) -> Vec<u8> {
        let mut mender = Mender::default();
        mender.add(&command(id, body), LONGEST);
        let mended = out(&mut mender);
        let length = u32::from_be_bytes(*mended.first_chunk().unwrap());
        assert_eq!(usize::try_from(length).unwrap(), mended.len());
        assert_eq!(mended[4..16], command(id, &[])[4..], "the header stays");
        mended[16..].to_vec()
    }

    #[test]
    fn ids_and_addresses_are_ended_and_of_ascii() {
        assert_eq!(mended(SUBMIT_SM_RESP, b"12"), b"12\0");
        assert_eq!(mended(SUBMIT_SM_RESP, b"12\0\0\x1e"), b"12\0");
        assert_eq!(mended(SUBMIT_SM_RESP, b"\xe9"), b"?\0");
        assert_eq!(mended(SUBMIT_SM_RESP, &[b'1'; 90]).len(), 65);
        assert_eq!(mended(SUBMIT_SM_RESP, b""), b"");
        assert_eq!(
            mended(0x8000_0009, b"a message centre of 30 letters"),
            b"a message centr\0"
        );
        assert_eq!(mended(0x8000_0015, b"12"), b"12", "all else stays");
        let body = b"CMT\0\x02\x09M\xfcller\0\x01\x01444\0\x04\x01\x02\0\0\x01\x01\x03\x01\x02hi\
                     \x00\x1e\x00\x0212\x12\x34\x00\x01x\x04\x27\x00\x01\x02\x04\x24\x00\x03abc\x00\x1e\x00\x09z";
        let expected = b"\0\x02\x09M?ller\0\0\0\0\x04\0\0\0\0\0\0\x03\0\x02hi\
                         \x00\x1e\x00\x0312\0\x04\x27\x00\x01\x02\x04\x24\x00\x03abc";
        assert_eq!(mended(DELIVER_SM, body), expected);
        assert_eq!(mended(DELIVER_SM, expected), expected);
        let nothing = write_deliver(&Deliver::default());
        for cut in 0..26 {
            assert_eq!(mended(DELIVER_SM, &body[..cut]), nothing, "{cut}");
        }
    }

    #[test]
    fn commands_come_out_whole_however_they_come_in() {
        let two = [command(SUBMIT_SM_RESP, b"1"), command(0x15, b"")].concat();
        let (mut mender, mut all) = (Mender::default(), Vec::new());
        for byte in &two {
            mender.add(&[*byte], LONGEST);
            all.extend(out(&mut mender));
        }
        let expected = [command(SUBMIT_SM_RESP, b"1\0"), command(0x15, b"")].concat();
        assert_eq!(all, expected);
    }

    #[test]
    fn what_is_no_smpp_goes_through_as_it_is() {
        for wrong in [[0, 0, 0, 15], [0xff; 4], [0, 2, 0, 0]] {
            let mut mender = Mender::default();
            mender.add(&command(0x15, b""), LONGEST);
            mender.add(&wrong, LONGEST);
            mender.add(b"more", LONGEST);
            let expected = [&command(0x15, b"")[..], &wrong, b"more"].concat();
            assert_eq!(out(&mut mender), expected);
        }
        let mut cut = Mender::default();
        cut.add(&command(0x15, b"")[..9], LONGEST);
        assert!(cut.is_empty());
        cut.end();
        assert_eq!(out(&mut cut).len(), 9);
    }
}
