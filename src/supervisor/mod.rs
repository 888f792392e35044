//! supervisord over its unix socket, by XML-RPC (spec: supervisord.md). This room never starts a program.
