package sqlite

import (
	"context"
	"fmt"
	"iter"

	"github.com/klauspost/compress/zstd"

	"github.com/waybill-dev/waybill/state"
)

// packer compresses raw bodies. EncodeAll and DecodeAll may be called from many
// goroutines.
type packer struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// smallBody is the size in bytes below which compression gains less than its
// header and its time cost.
const smallBody = 512

// largestBody bounds what a damaged body may unpack to.
const largestBody = 1 << 30

func newPacker() (*packer, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("compression of raw bodies: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(largestBody))
	if err != nil {
		return nil, fmt.Errorf("compression of raw bodies: %w", err)
	}
	return &packer{encoder, decoder}, nil
}

// pack compresses a body where that makes it smaller.
func (p *packer) pack(body []byte) (stored []byte, packed bool) {
	if len(body) >= smallBody {
		if small := p.encoder.EncodeAll(body, nil); len(small) < len(body) {
			return small, true
		}
	}
	if body == nil {
		body = []byte{}
	}
	return body, false
}

// unpack gives the body back byte for byte.
func (p *packer) unpack(stored []byte, packed bool, size int64) ([]byte, error) {
	if !packed {
		return stored, nil
	}
	body, err := p.decoder.DecodeAll(stored, make([]byte, 0, min(size, 16<<20)))
	if err == nil && int64(len(body)) != size {
		err = fmt.Errorf("%d bytes instead of %d", len(body), size)
	}
	return body, err
}

const rawColumns = `w.id, w.kind, w.account, w.item, w.at, w.status, w.complete, w.size, w.packed, w.body, u.raw IS NULL, x.digest`

var (
	insertRaw = &query{"raw", `INSERT INTO raws (id, kind, account, item, at, status, complete, size, packed, body)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`}
	insertRedacted  = &query{"redacted raw", `INSERT INTO redacted (raw, digest) VALUES (?1, ?2)`}
	insertUnderived = &query{"underived raw", `INSERT INTO underived (raw) VALUES (?1)`}
	deleteUnderived = &query{"derived raw", `DELETE FROM underived WHERE raw = ?1`}

	selectRaw = &query{"raw", `SELECT ` + rawColumns + ` FROM raws w LEFT JOIN underived u ON u.raw = w.id LEFT JOIN redacted x ON x.raw = w.id WHERE w.id = +?1`}

	selectUnderived = &query{"underived raws", `SELECT ` + rawColumns + ` FROM underived u CROSS JOIN raws w ON w.id = u.raw LEFT JOIN redacted x ON x.raw = w.id ORDER BY u.raw`}

	selectRaws = &query{"raws", `SELECT ` + rawColumns + ` FROM raws w LEFT JOIN underived u ON u.raw = w.id LEFT JOIN redacted x ON x.raw = w.id WHERE w.id > ?1 ORDER BY w.id LIMIT ?2`}

	selectQuarantinedRaws = &query{"raws of quarantined records", `SELECT ` + rawColumns + ` FROM raws w LEFT JOIN underived u ON u.raw = w.id LEFT JOIN redacted x ON x.raw = w.id
		WHERE w.id > ?1 AND w.id IN (SELECT raw FROM records INDEXED BY records_quarantined WHERE status = 2) ORDER BY w.id LIMIT ?2`}
)

func (w *writer) writeRaws(r *request) error {
	for i := range r.batch.Raws {
		raw := &r.batch.Raws[i]
		account, err := w.account(raw.Account)
		if err != nil {
			return err
		}
		err = w.c.exec(insertRaw, raw.ID, string(raw.Kind), account, idArg(raw.ItemID), timeArg(raw.At), int64(raw.Status),
			boolArg(raw.Complete), int64(len(raw.Body)), boolArg(r.bodies[i].packed), r.bodies[i].stored)
		if err == nil && !raw.Derived {
			err = w.c.exec(insertUnderived, raw.ID)
		}
		if err == nil && raw.Redacted {
			err = w.c.exec(insertRedacted, raw.ID, raw.Digest[:])
		}
		if err != nil {
			return fmt.Errorf("raw %d: %w", raw.ID, err)
		}
	}
	for _, id := range r.batch.Derived {
		if err := w.c.exec(deleteUnderived, id); err != nil {
			return err
		}
	}
	return nil
}

// Raw returns evidence, byte for byte.
func (r *Reader) Raw(ctx context.Context, id int64) (*state.Raw, error) {
	for raw, err := range stream(ctx, r, selectRaw, r.raw, id) {
		return raw, err
	}
	return nil, fmt.Errorf("raw %d: %w", id, state.ErrNotFound)
}

// Raws yields raws in the order of their ids.
func (r *Reader) Raws(ctx context.Context, f state.RawFilter) iter.Seq2[*state.Raw, error] {
	q := selectRaws
	if f.Quarantined {
		q = selectQuarantinedRaws
	}
	return after(ctx, r, q, r.raw, func(raw *state.Raw) int64 { return raw.ID }, func(raw *state.Raw) int { return len(raw.Body) }, 0, f.AfterID)
}

// Underived yields the raws whose contents were not derived yet, oldest first.
func (r *Reader) Underived(ctx context.Context) iter.Seq2[*state.Raw, error] {
	return stream(ctx, r, selectUnderived, r.raw)
}

// raw reads the columns of rawColumns.
func (r *Reader) raw(v *view, s *stmt) (*state.Raw, error) {
	raw := &state.Raw{ID: s.int(0), Kind: state.RawKind(s.text(1)), ItemID: s.int(3), At: s.time(4), Status: int(s.int(5)),
		Complete: s.bool(6), Derived: s.bool(10), Redacted: !s.null(11)}
	copy(raw.Digest[:], s.bytes(11))
	var err error
	if raw.Account, err = v.account(s.int(2)); err != nil {
		return nil, err
	}
	if raw.Body, err = r.packer.unpack(s.bytes(9), s.bool(8), s.int(7)); err != nil {
		return nil, fmt.Errorf("state %s: body of raw %d: %w: %w", v.path, raw.ID, state.ErrCorrupt, err)
	}
	return raw, nil
}
