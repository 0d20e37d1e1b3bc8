package cli

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/waybill-dev/waybill/cli/view"
)

// newLogger makes the log that WAYBILL_LOG (debug, info, warn or error; info
// when unset) and WAYBILL_LOG_FORMAT (text or json) ask for.
func newLogger(s *view.Stream, getenv func(string) string) (*slog.Logger, error) {
	var level slog.Level
	switch text := strings.ToLower(getenv("WAYBILL_LOG")); text {
	case "", "info":
		level = slog.LevelInfo
	case "debug":
		level = slog.LevelDebug
	case "warn":
		level = slog.LevelWarn
	case "error":
		level = slog.LevelError
	default:
		return nil, fmt.Errorf("WAYBILL_LOG=%s: write debug, info, warn or error", text)
	}
	options := &slog.HandlerOptions{Level: level}
	switch text := strings.ToLower(getenv("WAYBILL_LOG_FORMAT")); text {
	case "", "text":
		return slog.New(slog.NewTextHandler(s, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(s.JSON(), options)), nil
	default:
		return nil, fmt.Errorf("WAYBILL_LOG_FORMAT=%s: write text or json", text)
	}
}
