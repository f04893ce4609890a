//! The kiosk's screen in a window on a desktop: mouse for touch, keyboard for keys.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_graphics::prelude::{Point, Size};
use minifb::{InputCallback, Key, KeyRepeat, MouseButton, MouseMode, Window, WindowOptions};

use super::canvas::Canvas;
use super::display::{Display, DisplayError, Told, check_size};
use crate::input::Input;

/// A window of the canvas's size.
pub struct WindowDisplay {
    window: Window,
    size: Size,
    typed: Rc<RefCell<Vec<char>>>,
    down: bool,
    shown: bool,
}

struct Letters(Rc<RefCell<Vec<char>>>);

impl InputCallback for Letters {
    fn add_char(&mut self, code: u32) {
        if let Some(letter) = char::from_u32(code).filter(|letter| !letter.is_control()) {
            self.0.borrow_mut().push(letter);
        }
    }
}

impl WindowDisplay {
    /// Opens a window of `size` pixels.
    ///
    /// # Errors
    /// [`DisplayError::Window`] where there is no X server.
    pub fn open(size: Size) -> Result<Self, DisplayError> {
        let reason = |reason: String| DisplayError::Window { reason };
        // The crate below panics in some of these cases: it is not asked.
        if std::env::var_os("DISPLAY").is_none_or(|name| name.is_empty()) {
            return Err(reason("no DISPLAY in the environment".to_owned()));
        }
        let (width, height) = (size.width as usize, size.height as usize);
        let window = Window::new("Usher", width, height, WindowOptions::default());
        let mut window = window.map_err(|error| reason(error.to_string()))?;
        // The loop that shows has its own pace.
        window.set_target_fps(0);
        let typed = Rc::new(RefCell::new(Vec::new()));
        window.set_input_callback(Box::new(Letters(Rc::clone(&typed))));
        Ok(Self {
            window,
            size,
            typed,
            down: false,
            shown: false,
        })
    }
}

impl Display for WindowDisplay {
    fn size(&self) -> Size {
        self.size
    }

    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        check_size(self.size, canvas)?;
        if self.shown && canvas.damage().is_empty() {
            self.window.update();
            return Ok(());
        }
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let updated = self
            .window
            .update_with_buffer(canvas.pixels(), width, height);
        self.shown = updated.is_ok();
        updated.map_err(|error| DisplayError::Window {
            reason: error.to_string(),
        })
    }

    fn told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        if !self.window.is_open() {
            told.push(Told::Closed);
        }
        let down = self.window.get_mouse_down(MouseButton::Left);
        if down
            && !self.down
            && let Some((x, y)) = self.window.get_mouse_pos(MouseMode::Discard)
        {
            told.push(Told::Touched(Point::new(x as i32, y as i32)));
        }
        self.down = down;
        for key in self.window.get_keys_pressed(KeyRepeat::No) {
            let input = match key {
                Key::Enter | Key::NumPadEnter => Input::Enter,
                Key::Escape => Input::Cancel,
                Key::Backspace => Input::Backspace,
                Key::F2 => Input::Operator,
                Key::PageDown => Input::Next,
                Key::PageUp => Input::Previous,
                _ => continue,
            };
            told.push(Told::Typed(input));
        }
        let letters = self.typed.borrow_mut().drain(..).collect::<Vec<char>>();
        told.extend(
            letters
                .into_iter()
                .map(|letter| Told::Typed(Input::Character(letter))),
        );
        told
    }
}
