//! Where the line runs, as SVG says it. Coordinates are the drawing's own; the page stretches it to its width.

use std::fmt::{self, Write as _};

pub(crate) const WIDTH: f64 = 1000.0;
pub(crate) const HEIGHT: f64 = 200.0;

/// What of time and amount the drawing shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frame {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) top: f64,
    /// Points further apart than this are not joined.
    pub(crate) gap: f64,
}

impl Frame {
    pub(crate) fn x(&self, at: f64) -> f64 {
        (at - self.from) / (self.to - self.from).max(1.0) * WIDTH
    }

    pub(crate) fn y(&self, value: f64) -> f64 {
        HEIGHT * (1.0 - (value / self.top).clamp(0.0, 1.0))
    }

    /// A line through the points. One that stands alone is a dot.
    pub(crate) fn line(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut path = String::new();
        for stretch in self.stretches(points) {
            for (index, point) in stretch.iter().enumerate() {
                self.go(&mut path, if index == 0 { 'M' } else { 'L' }, *point);
            }
            if stretch.len() == 1 {
                path.push_str("h0");
            }
        }
        path
    }

    /// What is between the line and nothing.
    pub(crate) fn area(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut path = String::new();
        for stretch in self.stretches(points) {
            let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else { continue };
            self.go(&mut path, 'M', (first.0, 0.0));
            for point in &stretch {
                self.go(&mut path, 'L', *point);
            }
            self.go(&mut path, 'L', (last.0, 0.0));
            path.push('Z');
        }
        path
    }

    fn stretches(&self, points: impl Iterator<Item = (f64, f64)>) -> Vec<Vec<(f64, f64)>> {
        let mut stretches: Vec<Vec<(f64, f64)>> = Vec::new();
        for point in points {
            match stretches.last_mut() {
                Some(stretch)
                    if stretch.last().is_some_and(|last| point.0 - last.0 <= self.gap) =>
                {
                    stretch.push(point);
                }
                Some(_) | None => stretches.push(vec![point]),
            }
        }
        stretches
    }

    fn go(&self, path: &mut String, how: char, (at, value): (f64, f64)) {
        // Writing to a String cannot fail.
        let _ = write!(path, "{how}{} {}", Place(self.x(at)), Place(self.y(value)));
    }
}

/// "12.3": a coordinate. The language's own way to write such numbers weighs twenty kilobytes in a browser.
pub(crate) struct Place(pub(crate) f64);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Within the drawing; what is left of it is at its edge.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let tenths = (self.0 * 10.0).round() as u32;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { from: 0.0, to: 100.0, top: 2.0, gap: 10.0 };

    #[test]
    fn lines() {
        let points = [(0.0, 0.0), (10.0, 1.0), (20.0, 2.0)];
        assert_eq!(FRAME.line(points.into_iter()), "M0.0 200.0L100.0 100.0L200.0 0.0");
        assert_eq!(FRAME.line([].into_iter()), "");
    }

    #[test]
    fn gaps_are_gaps() {
        let points = [(0.0, 1.0), (5.0, 1.0), (50.0, 1.0), (70.0, 1.0), (75.0, 2.0)];
        assert_eq!(
            FRAME.line(points.into_iter()),
            "M0.0 100.0L50.0 100.0M500.0 100.0h0M700.0 100.0L750.0 0.0"
        );
        assert_eq!(
            FRAME.area(points.into_iter().take(2)),
            "M0.0 200.0L0.0 100.0L50.0 100.0L50.0 200.0Z"
        );
    }

    #[test]
    fn nothing_leaves_the_drawing() {
        assert_eq!(FRAME.line([(-20.0, 9.0), (-15.0, -1.0)].into_iter()), "M0.0 0.0L0.0 200.0");
    }
}
