//! The data keys: one secret a purpose, wrapped by the master key.
//!
//! Nothing is sealed under the master key itself, so a new master key wraps six small keys again and touches no other
//! row. Where the wrapped keys are kept is the store's business; what is done with each key is told in `seal`, `hash`
//! and `token`.

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::aead;
use crate::master_key::MasterKey;
use crate::secret;

/// What a data key is for. A key is never used for a second purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Seals the private halves of transport keys.
    TransportPrivate,
    /// Seals the payloads of queued password changes.
    Payload,
    /// Seals the secrets that are read again: those that connectors sign in with, and those that people's codes are computed from.
    ConnectorSecret,
    /// Goes into every Argon2id evaluation. There is one for ever: without it no password hash can be verified.
    Pepper,
    /// Keys the hashes of tokens, client secrets and digit codes. There is one for ever, for the same reason.
    TokenMac,
    /// Seals the private halves of the keys that sign access tokens.
    TokenSigning,
}

impl Purpose {
    /// Every purpose with the name that the store keeps.
    pub const NAMES: [(Self, &str); 6] = [
        (Self::TransportPrivate, "transport-private"),
        (Self::Payload, "payload"),
        (Self::ConnectorSecret, "connector-secret"),
        (Self::Pepper, "pepper"),
        (Self::TokenMac, "token-mac"),
        (Self::TokenSigning, "token-signing"),
    ];

    /// The name that the store keeps.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(purpose, _)| *purpose)
    }

    /// Stored hashes name no key, so a second key could only make some of them unverifiable.
    fn is_single(self) -> bool {
        matches!(self, Self::Pepper | Self::TokenMac)
    }
}

/// A data key as it is stored: a plain value without any secret in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The id that everything sealed under this key carries.
    pub id: Uuid,
    /// One of the names of [`Purpose::NAMES`].
    pub purpose: String,
    /// [`MasterKey::id`] of the master key that wraps it.
    pub master_key_id: String,
    /// A version byte (1), a nonce of 12 bytes, the encrypted key of 32 bytes, a tag of 16 bytes. Bound to id and
    /// purpose.
    pub wrapped: Vec<u8>,
}

/// Why the stored data keys make no key ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// None of the given master keys wraps this data key.
    #[error("data key {id} is wrapped by master key {master_key_id}, which was not given")]
    OtherMasterKey {
        /// The data key.
        id: Uuid,
        /// The master key that is missing.
        master_key_id: String,
    },
    /// The row was altered, or mixed up with another.
    #[error("data key {id} cannot be unwrapped")]
    CannotUnwrap {
        /// The data key.
        id: Uuid,
    },
    /// A later version made it, or the row was altered.
    #[error("data key {id} has the unknown purpose {purpose:?}")]
    UnknownPurpose {
        /// The data key.
        id: Uuid,
        /// What is stored.
        purpose: String,
    },
    /// There must be a key for each purpose; making one anew could orphan what the lost one sealed.
    #[error("there is no data key for {purpose}")]
    Missing {
        /// The purpose's name.
        purpose: &'static str,
    },
    /// Of the pepper and the key of the keyed hashes there is exactly one.
    #[error("there is more than one data key for {purpose}")]
    Several {
        /// The purpose's name.
        purpose: &'static str,
    },
}

/// The unwrapped data keys. Wiped when dropped; its `Debug` shows ids and purposes only.
pub struct KeyRing {
    keys: Vec<DataKey>,
}

pub(crate) struct DataKey {
    pub(crate) id: Uuid,
    pub(crate) purpose: Purpose,
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

impl KeyRing {
    /// Makes the data keys of a new installation, one a purpose, and their stored form.
    pub fn create(master: &MasterKey) -> (Self, Vec<WrappedKey>) {
        let keys = Purpose::NAMES
            .iter()
            .map(|(purpose, _)| DataKey {
                id: secret::draw_id(),
                purpose: *purpose,
                secret: Zeroizing::new(secret::random()),
            })
            .collect();
        let ring = Self { keys };
        let wrapped = ring.rewrap(master);
        (ring, wrapped)
    }

    /// Unwraps the stored data keys.
    ///
    /// More than one master key is given while the master key is being changed: each data key names the one that
    /// wraps it, so a change that was interrupted half-way is read as it stands and simply done again. Of several
    /// data keys with one purpose, the first given seals and all open.
    ///
    /// # Errors
    /// A data key under another master key, an altered row, a purpose with no key.
    pub fn open(masters: &[MasterKey], wrapped: &[WrappedKey]) -> Result<Self, KeyRingError> {
        let keys = wrapped.iter().map(|key| unwrap(masters, key)).collect::<Result<Vec<_>, _>>()?;
        for (purpose, name) in Purpose::NAMES {
            match keys.iter().filter(|key| key.purpose == purpose).count() {
                0 => return Err(KeyRingError::Missing { purpose: name }),
                1 => {}
                _ if purpose.is_single() => return Err(KeyRingError::Several { purpose: name }),
                _ => {}
            }
        }
        Ok(Self { keys })
    }

    /// The stored form of the same data keys under another master key. Everything sealed and hashed with them stays
    /// as it is, the pepper included.
    pub fn rewrap(&self, master: &MasterKey) -> Vec<WrappedKey> {
        self.keys.iter().map(|key| wrap(master, key)).collect()
    }

    /// The key that seals for `purpose` now.
    pub(crate) fn current(&self, purpose: Purpose) -> &DataKey {
        self.keys.iter().find(|key| key.purpose == purpose).expect("a key ring has a key for every purpose")
    }

    pub(crate) fn find(&self, id: Uuid) -> Option<&DataKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.keys.iter().map(|key| (key.id, key.purpose.name()))).finish()
    }
}

const VERSION: u8 = 1;

fn wrap(master: &MasterKey, key: &DataKey) -> WrappedKey {
    let mut wrapped = vec![VERSION];
    aead::encrypt(master.cipher(), &associated(key.id, key.purpose), key.secret.as_ref(), &mut wrapped);
    WrappedKey { id: key.id, purpose: key.purpose.name().to_owned(), master_key_id: master.id().to_owned(), wrapped }
}

fn unwrap(masters: &[MasterKey], key: &WrappedKey) -> Result<DataKey, KeyRingError> {
    let id = key.id;
    let purpose = Purpose::named(&key.purpose)
        .ok_or_else(|| KeyRingError::UnknownPurpose { id, purpose: key.purpose.clone() })?;
    let master = masters
        .iter()
        .find(|master| master.id() == key.master_key_id)
        .ok_or_else(|| KeyRingError::OtherMasterKey { id, master_key_id: key.master_key_id.clone() })?;
    let opened = match key.wrapped.split_first() {
        Some((&VERSION, sealed)) => aead::decrypt(master.cipher(), &associated(id, purpose), sealed),
        _ => None,
    };
    let opened = opened.ok_or(KeyRingError::CannotUnwrap { id })?;
    let mut secret = Zeroizing::new([0; 32]);
    if opened.len() != secret.len() {
        return Err(KeyRingError::CannotUnwrap { id });
    }
    secret.copy_from_slice(&opened);
    Ok(DataKey { id, purpose, secret })
}

fn associated(id: Uuid, purpose: Purpose) -> Vec<u8> {
    [b"lockstep data key\0".as_slice(), &[VERSION], id.as_bytes(), purpose.name().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(ring: &KeyRing) -> Vec<(Uuid, [u8; 32])> {
        ring.keys.iter().map(|key| (key.id, *key.secret)).collect()
    }

    #[test]
    fn the_names_stand_in_the_order_of_the_purposes() {
        for (purpose, name) in Purpose::NAMES {
            assert_eq!(purpose.name(), name);
            assert_eq!(Purpose::named(name), Some(purpose));
        }
    }

    #[test]
    fn a_ring_is_read_back_as_it_was_made() {
        let master = MasterKey::generate();
        let (ring, wrapped) = KeyRing::create(&master);
        assert_eq!(wrapped.len(), Purpose::NAMES.len());
        assert_eq!(secrets(&KeyRing::open(&[master], &wrapped).unwrap()), secrets(&ring));
        assert!(wrapped.iter().all(|key| !key.wrapped.windows(32).any(|w| secrets(&ring).iter().any(|s| s.1 == w))));
    }

    #[test]
    fn a_new_master_key_wraps_the_same_data_keys_and_the_old_one_opens_them_no_more() {
        let (old, new) = (MasterKey::generate(), MasterKey::generate());
        let (ring, _) = KeyRing::create(&old);
        let wrapped = ring.rewrap(&new);
        assert_eq!(secrets(&KeyRing::open(std::slice::from_ref(&new), &wrapped).unwrap()), secrets(&ring));
        let error = KeyRing::open(&[old], &wrapped).unwrap_err();
        assert_eq!(error, KeyRingError::OtherMasterKey { id: wrapped[0].id, master_key_id: new.id().to_owned() });
    }

    #[test]
    fn a_change_of_master_key_that_stopped_half_way_is_read_with_both() {
        let (old, new) = (MasterKey::generate(), MasterKey::generate());
        let (ring, mut wrapped) = KeyRing::create(&old);
        wrapped.splice(..3, ring.rewrap(&new).into_iter().take(3));
        assert_eq!(secrets(&KeyRing::open(&[new, old], &wrapped).unwrap()), secrets(&ring));
    }

    #[test]
    fn rows_cannot_be_altered_or_swapped() {
        let master = [MasterKey::generate()];
        let (_, wrapped) = KeyRing::create(&master[0]);
        let cannot = Err(KeyRingError::CannotUnwrap { id: wrapped[0].id });

        for at in 0..wrapped[0].wrapped.len() {
            let mut altered = wrapped.clone();
            altered[0].wrapped[at] ^= 1;
            assert_eq!(KeyRing::open(&master, &altered).map(|_| ()), cannot, "byte {at}");
        }
        let mut short = wrapped.clone();
        short[0].wrapped.truncate(8);
        assert_eq!(KeyRing::open(&master, &short).map(|_| ()), cannot);
        let mut swapped = wrapped.clone();
        swapped[0].wrapped = wrapped[1].wrapped.clone();
        assert_eq!(KeyRing::open(&master, &swapped).map(|_| ()), cannot);
        let mut renamed = wrapped.clone();
        renamed[0].purpose = "payload".to_owned();
        assert_eq!(KeyRing::open(&master, &renamed).map(|_| ()), cannot);
    }

    #[test]
    fn a_ring_has_every_purpose_and_one_pepper() {
        let master = [MasterKey::generate()];
        let (_, wrapped) = KeyRing::create(&master[0]);
        let (_, more) = KeyRing::create(&master[0]);
        for missing in 0..wrapped.len() {
            let mut rest = wrapped.clone();
            let purpose = Purpose::NAMES[missing].1;
            rest.remove(missing);
            assert_eq!(KeyRing::open(&master, &rest).map(|_| ()), Err(KeyRingError::Missing { purpose }));

            let mut both = wrapped.clone();
            both.push(more[missing].clone());
            let opened = KeyRing::open(&master, &both);
            match purpose {
                "pepper" | "token-mac" => assert_eq!(opened.map(|_| ()), Err(KeyRingError::Several { purpose })),
                _ => assert_eq!(opened.unwrap().current(Purpose::NAMES[missing].0).id, wrapped[missing].id),
            }
        }
        let mut foreign = wrapped.clone();
        foreign[2].purpose = "future".to_owned();
        assert!(matches!(KeyRing::open(&master, &foreign), Err(KeyRingError::UnknownPurpose { .. })));
    }

    #[test]
    fn debug_shows_ids_and_purposes_only() {
        let (ring, _) = KeyRing::create(&MasterKey::generate());
        let shown = format!("{ring:?}");
        for (id, secret) in secrets(&ring) {
            assert!(shown.contains(&id.to_string()));
            assert!(!shown.contains(&hex::encode(secret)) && !shown.contains(&format!("{secret:?}")));
        }
    }
}
