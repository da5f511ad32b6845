//! Sealing: AES-256-GCM with a random nonce under a purpose key, bound to its place.
//!
//! Format: version `1` (1 byte), key number (4, big-endian), nonce (12), ciphertext and tag. The associated data is the key number and the place, each
//! part with its length. Rollback protection is not provided: an old version of a document opens in its own place.

use aes_gcm::{
    Aes256Gcm, Key, Nonce,
    aead::{Aead, AeadInOut, KeyInit, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;
const HEAD_BYTES: usize = 1 + 4 + NONCE_BYTES;
const TAG_BYTES: usize = 16;

/// Where something sealed belongs; it opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Of a document its partition, of a blob its container.
    pub partition: &'a str,
    pub id: &'a str,
    pub kind: &'a str,
}

impl Place<'_> {
    /// The place of a sealed blob.
    pub fn blob<'a>(container: &'a str, name: &'a str) -> Place<'a> {
        Place { partition: container, id: name, kind: "blob" }
    }

    fn associated_data(&self, key_number: u32) -> Vec<u8> {
        let mut data = key_number.to_be_bytes().to_vec();
        for part in [self.partition, self.id, self.kind] {
            data.extend((part.len() as u64).to_be_bytes());
            data.extend(part.as_bytes());
        }
        data
    }
}

/// A 32-byte key for one purpose (HKDF-SHA256, RFC 5869), so that no two uses share a key.
pub(super) fn derive(data_key: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let derived = Hkdf::<Sha256>::new(None, data_key).expand(purpose.as_bytes(), key.as_mut_slice());
    debug_assert!(derived.is_ok(), "32 bytes are within HKDF's limit");
    key
}

/// Room for what is to be sealed, which goes behind what stands there, and for what sealing adds to it.
pub(super) fn room(bytes: usize) -> Zeroizing<Vec<u8>> {
    let mut room = Vec::with_capacity(HEAD_BYTES + bytes + TAG_BYTES);
    room.resize(HEAD_BYTES, 0);
    Zeroizing::new(room)
}

/// Seals what was put into [`room`] where it stands: no second copy of it is made, or left to be wiped.
pub(super) fn seal(key: &[u8; 32], number: u32, nonce: [u8; NONCE_BYTES], place: &Place<'_>, mut filled: Zeroizing<Vec<u8>>) -> Option<Vec<u8>> {
    let (head, plaintext) = filled.split_at_mut_checked(HEAD_BYTES)?;
    head[0] = FORMAT;
    head[1..5].copy_from_slice(&number.to_be_bytes());
    head[5..].copy_from_slice(&nonce);
    let tag = cipher(key).encrypt_inout_detached(&Nonce::from(nonce), &place.associated_data(number), plaintext.into()).ok()?;
    filled.extend_from_slice(&tag);
    Some(std::mem::take(&mut *filled))
}

/// The number of the key that sealed this.
pub(super) fn key_number(sealed: &[u8]) -> Option<u32> {
    match sealed {
        [FORMAT, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

pub(super) fn open(key: &[u8; 32], place: &Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let number = key_number(sealed)?;
    let nonce: [u8; NONCE_BYTES] = sealed.get(5..HEAD_BYTES)?.try_into().ok()?;
    let aad = place.associated_data(number);
    cipher(key).decrypt(&Nonce::from(nonce), Payload { msg: &sealed[HEAD_BYTES..], aad: &aad }).ok().map(Zeroizing::new)
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { partition: "t:contoso", id: "ticket:1", kind: "ticket" };

    #[test]
    fn what_is_sealed_opens_only_in_its_place_unchanged_and_by_its_key() {
        let key = [7; 32];
        let mut words = room(5);
        words.extend(b"words");
        let sealed = seal(&key, 3, [1; 12], &PLACE, words).unwrap();
        assert_eq!(sealed.len(), sealed.capacity());
        assert_eq!(open(&key, &PLACE, &sealed).unwrap().as_slice(), b"words");
        assert_eq!(key_number(&sealed), Some(3));
        assert!(!sealed.windows(5).any(|w| w == b"words"));

        assert!(open(&[8; 32], &PLACE, &sealed).is_none());
        for place in [Place { partition: "t:fabrikam", ..PLACE }, Place { id: "ticket:2", ..PLACE }, Place { kind: "comment", ..PLACE }] {
            assert!(open(&key, &place, &sealed).is_none());
        }
        // Moving a byte from one part to the next is another place too.
        assert!(open(&key, &Place { partition: "t:contosot", id: "icket:1", kind: "ticket" }, &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, &PLACE, &changed).is_none(), "byte {at}");
            assert!(open(&key, &PLACE, &sealed[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn purposes_do_not_share_a_key() {
        assert_ne!(derive(&[1; 32], "document").as_slice(), derive(&[1; 32], "blob").as_slice());
    }
}
