//! Gateway Engine for embedded images.
