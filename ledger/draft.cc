#include "ledger/draft.h"

#include "crypto/hash.h"

namespace florin::ledger {

PayloadReference RecordDraft::add_payload(Payload body) {
    PayloadReference const reference{
        .index = static_cast<std::uint32_t>(payloads_.size()),
        .length = static_cast<std::uint32_t>(body.size()),
        .digest = crypto::sha256(body),
    };
    payload_bytes_ += body.size();
    payloads_.push_back(std::move(body));
    return reference;
}

}  // namespace florin::ledger
