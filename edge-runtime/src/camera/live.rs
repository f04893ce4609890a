//! A live camera frame by frame, for commands that look at one frame after the other.

use std::time::Duration;

use super::feed::Feed;
use super::{Camera, CameraError, Captured};

/// How long a frame is waited for: long enough to plug a camera in again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gives the newest frame each time.
pub(super) struct LiveCamera {
    feed: Feed,
    last: Option<u64>,
}

impl LiveCamera {
    pub(super) fn new(feed: Feed) -> Self {
        Self { feed, last: None }
    }
}

impl Camera for LiveCamera {
    fn next_frame(&mut self) -> Result<Option<Captured>, CameraError> {
        if let Some(captured) = self.feed.wait_newer(self.last, PATIENCE) {
            self.last = Some(captured.number);
            return Ok(Some(Captured::clone(&captured)));
        }
        let state = self.feed.status().state;
        let (cause, remedy) = match state.fault() {
            Some(fault) => (fault.cause.clone(), fault.remedy.clone()),
            None => (
                format!("the camera is {}", state.word()),
                "run usher camera probe".to_owned(),
            ),
        };
        Err(CameraError::NoFrame {
            after: PATIENCE,
            cause,
            remedy,
        })
    }
}
