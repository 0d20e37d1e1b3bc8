month = "2026-01"
