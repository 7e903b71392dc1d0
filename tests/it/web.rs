//! What people look at: sessions, the hosted page with and without scripts, the widget in a browser.

mod hosted;
mod page;
mod sessions;
mod widget;
