//! The install transaction: journal, apply, roll back; and the registry of installed versions.
