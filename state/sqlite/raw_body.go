package sqlite

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
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

func (p *packer) close() {
	p.encoder.Close()
	p.decoder.Close()
}
