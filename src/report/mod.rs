//! The reports `device_info`, `engine_report` and `usage_report`: facts in, JSON out (spec: gateway-engine.md, "Reports").
