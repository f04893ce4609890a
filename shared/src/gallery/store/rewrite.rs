//! A whole gallery as the bytes of a new file: for a compaction, a rekey, a restore.

use std::borrow::Cow;
use std::io;

use zeroize::Zeroizing;

use super::super::format::{self, End, Loaded, MINOR};
use super::super::frame::{self, FrameKind, Keys};
use super::super::header::{HEADER_BYTES, Header, Root};
use super::super::record::{Change, Record, Settings};
use super::super::rotation::Rotation;
use super::super::seal::DataKey;
use super::super::{Gallery, GalleryError, IdentityId};
use super::{By, keys};

/// A new file's bytes, and what they hold, read back from them.
pub(super) struct Rewritten {
    pub(super) bytes: Vec<u8>,
    pub(super) loaded: Loaded,
}

/// What a new file is written from.
pub(super) struct Source<'a> {
    pub(super) gallery: &'a Gallery,
    pub(super) device: [u8; 16],
    pub(super) first_sequence: u64,
    pub(super) root: &'a Root,
    pub(super) rotation: Option<&'a Rotation>,
    pub(super) by: By<'a>,
    /// A change that goes with it.
    pub(super) last: Option<Change<'a>>,
}

/// A body before it is sealed.
struct Plain {
    kind: FrameKind,
    person: Option<IdentityId>,
    body: Zeroizing<Vec<u8>>,
}

impl Source<'_> {
    /// The bytes of the new file. A fresh gallery key and fresh data keys seal it; it is read back before
    /// it is given out, so that no file takes another's place that this build cannot read.
    ///
    /// # Errors
    /// [`GalleryError::Randomness`], or [`GalleryError::Unreadable`] when what was written does not read back.
    pub(super) fn write(self) -> Result<Rewritten, GalleryError> {
        let unwritable = |source| GalleryError::Randomness { source };
        let plains = self.bodies().map_err(unwritable)?;
        let sealed = self.root.key().is_some();
        let length: usize = plains
            .iter()
            .map(|plain| frame::bytes_of(plain.body.len(), plain.kind, sealed))
            .sum();
        let length = HEADER_BYTES + length;
        let mut header = Header {
            minor: MINOR,
            model: self.gallery.model(),
            dimension: self.gallery.dimension(),
            device: self.device,
            first_sequence: self.first_sequence,
            base_bytes: length as u64,
            form: self.gallery.form(),
            seal: self.root.kind(),
            parameters: self.root.parameters(),
            wrapped: [0; 72],
        };
        let key = header.seal_key(self.root)?;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&header.encode());
        let mut end = End {
            offset: HEADER_BYTES as u64,
            digest: header.digest(),
            sequence: self.first_sequence - 1,
        };
        for plain in &plains {
            let data = match plain.kind {
                FrameKind::Enrollment => Some(DataKey::draw().map_err(unwritable)?),
                FrameKind::Gallery | FrameKind::Person => None,
            };
            let keys: Keys<'_> = keys(key.as_ref(), plain.kind, data.as_ref());
            let place = (plain.kind, plain.person);
            format::append(&mut bytes, &header, &mut end, &keys, place, &plain.body)
                .map_err(unwritable)?;
        }
        let mut copy = bytes.clone();
        let unreadable = |source| GalleryError::Unreadable { source };
        let loaded = format::load(&mut copy, |_header| Ok(key), unreadable)?;
        Ok(Rewritten { bytes, loaded })
    }

    /// What is carried over has no operator: it is no history.
    fn bodies(&self) -> io::Result<Vec<Plain>> {
        let gallery = self.gallery;
        let mut plains = Vec::with_capacity(gallery.people() + 5);
        let mut add = |kind, person, operator, change| -> io::Result<()> {
            let record = Record {
                at: self.by.at,
                operator: Cow::Borrowed(operator),
                change,
            };
            let body = Zeroizing::new(postcard::to_stdvec(&record).map_err(io::Error::other)?);
            plains.push(Plain { kind, person, body });
            Ok(())
        };
        let about_all = FrameKind::Gallery;
        let settings = Settings {
            rotation: self.rotation.map(Rotation::seed),
        };
        add(
            about_all,
            None,
            self.by.operator,
            Change::Settings(settings),
        )?;
        add(about_all, None, "", gallery.ledger())?;
        if let Some(point) = gallery.operating_point() {
            let text = toml::to_string(point).map_err(io::Error::other)?;
            add(
                about_all,
                None,
                "",
                Change::OperatingPoint(Cow::Owned(text)),
            )?;
        }
        if gallery.cohort() > 0 {
            add(about_all, None, "", gallery.cohort_as_change(self.rotation))?;
        }
        for identity in gallery.identities() {
            let enroll = Change::Enroll(gallery.person_as_record(identity, self.rotation));
            add(FrameKind::Enrollment, Some(identity.id()), "", enroll)?;
        }
        if let Some(last) = &self.last {
            add(last.kind(), None, self.by.operator, last.clone())?;
        }
        Ok(plains)
    }
}
