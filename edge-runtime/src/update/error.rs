//! Why something was not installed, and what to do about it.

use std::io;
use std::path::PathBuf;

use shared::detector::DetectorError;
use shared::embedder::EmbedderError;
use shared::gallery::GalleryError;
use shared::manifest::ManifestError;

use super::label::Kind;
use crate::self_test::SelfTestError;

/// Why an update was refused or could not be done. Unless it says otherwise, what was in use still is.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The settings name no folder.
    #[error(
        "expected a folder for installed models, found update.folder empty; set it in the kiosk's settings"
    )]
    NoFolder,
    /// Whoever runs this is not the one whose files these are.
    #[error(
        "expected to be run by user {owner}, whose folder {folder} is, found user {found}; run it so: runuser -u usher -- usher update ..."
    )]
    Owner {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who runs this.
        found: u32,
    },
    /// Another process installs.
    #[error(
        "expected to be alone in {folder}, found another installation at work; wait until it is done"
    )]
    Held {
        /// The folder.
        folder: PathBuf,
    },
    /// No key is trusted.
    #[error(
        "expected public keys (*.pub) in {folder}, found none; put the public key there of whoever signs for this kiosk: without one nothing is taken"
    )]
    NoKeys {
        /// The folder of trusted keys.
        folder: PathBuf,
    },
    /// A trusted key cannot be used.
    #[error(
        "expected a public key of minisign in {path}, found: {found}; copy it again, or take it away"
    )]
    Key {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The file to install cannot be read.
    #[error("expected a signed file at {path}, found: {found}; check path and permissions")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said, or what it is.
        found: String,
    },
    /// There is no signature, or none that can be read.
    #[error(
        "expected a signature by minisign in {path}, found: {found}; sign the file by scripts/sign and copy both files side by side"
    )]
    Signature {
        /// The signature's file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// Somebody else signed it.
    #[error(
        "expected {path} to be signed by one of the keys in {trusted}, found a signature by another; ask whoever sent it, or put their public key there if you trust them"
    )]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// The folder of trusted keys.
        trusted: PathBuf,
    },
    /// It is not what was signed.
    #[error(
        "expected {path} to be as it was signed, found that it or its signature is not; copy both again, and if that does not help do not trust where they came from"
    )]
    Forged {
        /// The file.
        path: PathBuf,
    },
    /// The trusted comment does not say what it is.
    #[error(
        "expected a trusted comment like `usher model NAME serial=1 board=any`, found `{found}`; sign the file by scripts/sign"
    )]
    Comment {
        /// What it says, shortened.
        found: String,
    },
    /// It is for another board.
    #[error(
        "expected something for the board {expected} or for any, found it signed for {found}; send what is for this board, or correct the board's name"
    )]
    OtherBoard {
        /// This board.
        expected: String,
        /// What it was signed for.
        found: String,
    },
    /// The board's name cannot be read.
    #[error(
        "expected the board's name, one word, in {path}, found: {found}; correct the file or remove it"
    )]
    Board {
        /// The file.
        path: PathBuf,
        /// What the system said, or what it holds.
        found: String,
    },
    /// It is not newer than what was installed before.
    #[error(
        "expected a {kind} with a serial above {last}, found {found}; older ones are never taken: sign it anew with a higher serial, or see usher update rollback"
    )]
    Serial {
        /// What it is.
        kind: Kind,
        /// The last that was installed.
        last: u64,
        /// What was offered.
        found: u64,
    },
    /// The record of serials is damaged.
    #[error(
        "expected the record of serials in {path}, found: {found}; remove it: what counts then are the installed folders, and a gallery's serial begins anew"
    )]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// There is too little room.
    #[error(
        "expected {needed} bytes free in {folder}, found {free}; make room: delete old recordings and logs"
    )]
    Room {
        /// The folder.
        folder: PathBuf,
        /// What is needed.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// The archive holds what it must not, or not what it must.
    #[error(
        "expected an archive of a model with {expected}, found {found}; pack it again by scripts/sign"
    )]
    Archive {
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// The manifest is another model's than the signature says.
    #[error(
        "expected the manifest of {expected}, which was signed, found that of {found}; sign it again by scripts/sign"
    )]
    OtherName {
        /// What the trusted comment says.
        expected: String,
        /// What the manifest says.
        found: String,
    },
    /// A file or link cannot be written, renamed, synced or removed.
    #[error(
        "expected to write {path}, found: {source}; see what is in use by usher update status, check folder, space and permissions, and try again"
    )]
    Disk {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A link leads nowhere.
    #[error(
        "expected {path} to lead to an installed model, found {found}; go back by usher update rollback, install it again, or remove the link: then kiosk.model counts"
    )]
    Link {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        found: String,
    },
    /// There is nothing to go back to.
    #[error("expected an older model in {folder}, found none; install another one")]
    NothingBefore {
        /// The folder of installed models.
        folder: PathBuf,
    },
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The network does not load, or is not what the manifest describes.
    #[error(transparent)]
    Network(#[from] EmbedderError),
    /// There is no detector to try it with.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// The device does not compute with it what it should.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// The gallery is another model's, or cannot be put in place.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
}
