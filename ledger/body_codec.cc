#include "ledger/body_codec.h"

#include "ledger/base/check.h"
#include "ledger/command.h"

// The context parameters of frames without magic are in zstd's static-linking part, which has been
// the same since 1.4.
#define ZSTD_STATIC_LINKING_ONLY
#include <memory>
#include <zstd.h>

namespace florin::ledger {
namespace {

constexpr unsigned char kDictionary1[] = {
#include "bodies-1.inc"
};

constexpr char kEscaped = 0x00;
constexpr char kPacked1 = 0x01;
constexpr unsigned char kFirstPlain = 0x10;
// With the dictionary this makes smaller bodies than the levels above 0, in less time.
constexpr int kLevel = -3;
// Less is not worth a frame, which takes a microsecond.
constexpr std::size_t kPackedFrom = 128;

struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
    void operator()(ZSTD_CDict* dictionary) const { ZSTD_freeCDict(dictionary); }
    void operator()(ZSTD_DDict* dictionary) const { ZSTD_freeDDict(dictionary); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

ZSTD_CDict const* compression_dictionary() {
    static Owned<ZSTD_CDict> const dictionary{
        ZSTD_createCDict(kDictionary1, sizeof kDictionary1, kLevel)
    };
    FLORIN_CHECK(dictionary != nullptr, "the dictionary of bodies loads");
    return dictionary.get();
}

ZSTD_DDict const* decompression_dictionary() {
    static Owned<ZSTD_DDict> const dictionary{ZSTD_createDDict(kDictionary1, sizeof kDictionary1)};
    FLORIN_CHECK(dictionary != nullptr, "the dictionary of bodies loads");
    return dictionary.get();
}

Owned<ZSTD_CCtx> make_compression() {
    Owned<ZSTD_CCtx> context{ZSTD_createCCtx()};
    FLORIN_CHECK(context != nullptr, "there is memory for a compression context");
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_format, ZSTD_f_zstd1_magicless);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 0);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_dictIDFlag, 0);
    ZSTD_CCtx_refCDict(context.get(), compression_dictionary());
    return context;
}

Owned<ZSTD_DCtx> make_decompression() {
    Owned<ZSTD_DCtx> context{ZSTD_createDCtx()};
    FLORIN_CHECK(context != nullptr, "there is memory for a decompression context");
    ZSTD_DCtx_setParameter(context.get(), ZSTD_d_format, ZSTD_f_zstd1_magicless);
    ZSTD_DCtx_refDDict(context.get(), decompression_dictionary());
    return context;
}

}  // namespace

std::string pack_body(std::string body) {
    thread_local Owned<ZSTD_CCtx> const context = make_compression();
    if (body.size() >= kPackedFrom && body.size() <= kPlainBodyBytesMax) {
        thread_local std::string scratch;
        scratch.resize(1 + ZSTD_compressBound(body.size()));
        scratch[0] = kPacked1;
        std::size_t const length = ZSTD_compress2(
            context.get(), scratch.data() + 1, scratch.size() - 1, body.data(), body.size()
        );
        FLORIN_CHECK(ZSTD_isError(length) == 0U, "what fits in memory can be compressed");
        if (1 + length < body.size()) {
            return scratch.substr(0, 1 + length);
        }
    }
    if (!body.empty() && static_cast<unsigned char>(body.front()) < kFirstPlain) {
        body.insert(body.begin(), kEscaped);
    }
    return body;
}

Result<std::string> unpack_body(ByteView stored) {
    if (stored.empty() || static_cast<unsigned char>(stored.front()) >= kFirstPlain) {
        return std::string{stored};
    }
    char const form = stored.front();
    stored.remove_prefix(1);
    if (form == kEscaped) {
        return std::string{stored};
    }
    ZSTD_frameHeader header{};
    bool const is_frame = form == kPacked1 &&
                          ZSTD_getFrameHeader_advanced(
                              &header, stored.data(), stored.size(), ZSTD_f_zstd1_magicless
                          ) == 0 &&
                          header.frameContentSize <= kPlainBodyBytesMax;
    if (!is_frame) {
        return fail(Errc::corrupt, "a stored body of an unknown form or length");
    }
    thread_local Owned<ZSTD_DCtx> const context = make_decompression();
    std::string body(header.frameContentSize, '\0');
    std::size_t const length =
        ZSTD_decompressDCtx(context.get(), body.data(), body.size(), stored.data(), stored.size());
    if (ZSTD_isError(length) != 0U || length != body.size()) {
        return fail(Errc::corrupt, "a stored body does not unpack");
    }
    return body;
}

void pack_bodies(Command& command) {
    for (DocumentPut& put : command.puts) {
        put.body = pack_body(std::move(put.body));
    }
    // Events of one request mostly have the same beside their documents.
    std::string plain;
    std::string packed;
    for (NewEvent& event : command.events) {
        if (event.body != plain) {
            plain = event.body;
            packed = pack_body(std::move(event.body));
        }
        event.body = packed;
    }
}

}  // namespace florin::ledger
