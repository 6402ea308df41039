#include "connectors/sandbox/connector.h"

#include "ledger/base/bytes.h"

#include <algorithm>
#include <iterator>

namespace florin::connectors::sandbox {
namespace {

namespace asio = boost::asio;

struct Refusal {
    std::string_view number;
    std::string_view code;  // as a bank would write it in field 39; "GD" is the sandbox's own
};
// "GD" says no more than that the card was declined (generic_decline).
constexpr Refusal kRefusals[] = {
    {"4000000000000002", "GD"},
    {"4000000000009995", "51"},
    {"4000000000009987", "41"},
    {"4000000000009979", "43"},
    {"4000000000006975", "61"},
    {"4000000000000069", "54"},
    {"4000000000000127", "82"},
    {"4000000000000119", "96"},
};

class SandboxConnector final : public Connector {
public:
    explicit SandboxConnector(ConnectorId id) : id_{std::move(id)} {}

    ConnectorId const& id() const override { return id_; }
    std::string_view name() const override { return "sandbox"; }
    bool needs_link_identity() const override { return false; }
    bool captures_at_once() const override { return true; }
    Health health() const override { return {.ready = true, .detail = "in the process"}; }
    void start() override {}
    asio::awaitable<void> stop() override { co_return; }

    asio::awaitable<Reply> authorise(AuthoriseRequest request) override {
        auto const* const refusal =
            std::ranges::find(kRefusals, request.card.pan.reveal(), &Refusal::number);
        if (refusal != std::end(kRefusals)) {
            co_return Reply{
                .outcome = Outcome::declined,
                .approved = std::nullopt,
                .response_code = std::string{refusal->code},
                .authorization_code = {},
                .network_transaction_id = {},
                .detail = "a test card that is declined",
            };
        }
        Reply reply = approve(request.amount);
        // Six digits that belong to the attempt: the same again for the same attempt.
        std::uint32_t const sum = crc32c(request.identity.attempt.text()) % 1'000'000;
        std::string const digits = std::to_string(sum);
        reply.authorization_code = std::string(6 - digits.size(), '0') + digits;
        reply.network_transaction_id = "SBX" + std::string(12 - digits.size(), '0') + digits;
        co_return reply;
    }
    asio::awaitable<Reply> capture(CaptureRequest request) override {
        co_return approve(request.amount);
    }
    asio::awaitable<Reply> reverse(ReverseRequest request) override {
        co_return approve(request.amount);
    }
    asio::awaitable<Reply> refund(RefundRequest request) override {
        co_return approve(request.amount);
    }

private:
    static Reply approve(Money amount) {
        return {
            .outcome = Outcome::approved,
            .approved = amount,
            .response_code = "00",
            .authorization_code = {},
            .network_transaction_id = {},
            .detail = {},
        };
    }
    ConnectorId id_;
};

}  // namespace

std::unique_ptr<Connector> make_connector(ConnectorId id) {
    return std::make_unique<SandboxConnector>(std::move(id));
}

}  // namespace florin::connectors::sandbox
