"""Settings of a kiosk on a machine where a network takes seconds: votes, faces and watchdogs get more time."""

PIN = "4711"


def settings(camera, screen="drm", form="auto", size=(1280, 720), rate=30, looks=10, gallery="/var/lib/usher"):
    """A kiosk.toml for the packaged files; nothing but time, devices and decoration differs from what is shipped.

    `rate` is how many frames a second the camera is asked for, `looks` how many of them are looked at, at most.
    """
    return f"""\
[kiosk]
camera = "{camera}"
model = "/usr/share/usher/models/usher-small.toml"
gallery = "{gallery}/people.gallery"
[camera]
format = "{form}"
width = {size[0]}
height = {size[1]}
frames_per_second = {rate}
first_frame_ms = 10000
[recognition]
most_frames_per_second = {looks}
oldest_frame_ms = 10000
replaced_beyond = 4.0
[session]
greeting_ms = 1000
[session.consensus]
window_ms = 120000
[session.presence]
longest_gap_ms = 60000
[desk]
pin_file = "{gallery}/operators.toml"
idle_seconds = 600
[desk.guided]
least_poses = 1
seconds = 600
patience_ms = 5000
hold_ms = 100
holds = 1
gap_ms = 2000
[watchdog]
capture_ms = 60000
recognition_ms = 60000
screen_ms = 60000
hard_ms = 120000
[metrics]
socket = "/run/usher/usher.sock"
[screen]
backend = "{screen}"
motion = false
clock = false
burn_in_shift_px = 0
dim_after_s = 0
"""
