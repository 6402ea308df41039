// The ISO 8583 rail: the four operations as messages of ISO 8583:1987, answers as outcomes. What
// ISO 8583:1993 has elsewhere (1100, 1220, 1200, 1420; fields 24, 25, 30, 56) is in dialect.h.
//
//   authorise  0100/0110, processing code 000000
//   capture    0220/0230 (repeat 0221), field 38 and 90 of the authorisation
//   refund     0200/0210 (repeat 0201), processing code 200000, field 90 of the capture
//   reverse    0420/0430 (repeat 0421), field 90 of the original, field 95 where only a part goes;
//              `approved` means found and reversed; response code 25 (not found) is `unknown`
// and, at the cut-over of the business date, totals: 0500/0510 or 0520/0530 (totals.h).
// The CVC, a 3-D Secure result and the flags of a kept card go in private fields as sub-elements,
// where the packaging says, and in nothing but an authorisation. Repeats are the caller's: the same
// identity again with `repeat` set. For a repeat `not_sent` speaks about this message alone, not
// about the earlier ones. A message goes over the link of its identity where that is ready, else
// over another one that is: whoever made the identities made them different on all links together.
// Thread rule: as in connectors/connector.h.
#pragma once

#include "connectors/connector.h"
#include "connectors/iso8583/link.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace florin::connectors::iso8583 {

// Where a further link goes; everything else is as for the first.
struct LinkPlace {
    std::string host;
    std::string port;
    std::size_t connections = 1;
};

struct Iso8583Options {
    ConnectorId id;
    LinkOptions link;                       // the first
    std::vector<LinkPlace> more_links;      // the second and so on; kLinksMax in all
    std::string acquirer_id;                // field 32, 1 to 11 digits; empty: not sent
    std::string forwarder_id;               // field 33
    std::string pos_entry_mode = "012";     // 1987 field 22: typed in, no PIN
    std::string pos_condition_code = "59";  // 1987 field 25: electronic commerce
    // 1993 field 22: typed in without a terminal, the cardholder and the card are not there.
    std::string pos_data_code = "100010100110";
    unsigned authorise_timeout_ms = 15'000;
    unsigned capture_timeout_ms = 15'000;
    unsigned reverse_timeout_ms = 15'000;
    unsigned refund_timeout_ms = 15'000;
};

// The messages that the operations send; pure, so that tests and tools can look at them. `now_s`
// (seconds since 1970, UTC) gives the year that ISO 8583:1993 writes and identities do not have: a
// repeat within half a year has the bytes of the first message. Errc::out_of_range for an amount
// that field 4 cannot hold, Errc::malformed for chip data that is no BER-TLV (tlv.h).
Result<Message> authorise_message(
    AuthoriseRequest const& request, Iso8583Options const& options, std::int64_t now_s
);
Result<Message> capture_message(
    CaptureRequest const& request, Iso8583Options const& options, std::int64_t now_s
);
Result<Message> reverse_message(
    ReverseRequest const& request, Iso8583Options const& options, std::int64_t now_s
);
Result<Message> refund_message(
    RefundRequest const& request, Iso8583Options const& options, std::int64_t now_s
);

// What an answer means. `asked` is the amount of the request, against which an approval is held
// (hold_against); nothing where it is not known: late answers. An approval whose field 39 belongs
// to another kind of message is unknown.
Reply reply_of(Message const& answer, std::optional<Money> asked, Packaging const& packaging);

class Iso8583Connector final : public Connector {
public:
    // `home` is one thread's executor; sink and clock outlive the connector.
    Iso8583Connector(
        boost::asio::any_io_executor home,
        Iso8583Options options,
        EvidenceSink& sink,
        Clock const& clock
    );

    ConnectorId const& id() const override { return options_.id; }
    std::string_view name() const override { return "iso8583"; }
    bool needs_link_identity() const override { return true; }
    LinkChoice choose_link() const override;
    std::vector<LinkHealth> links() const override;
    // Ready where a link is.
    Health health() const override;

    void start() override;
    boost::asio::awaitable<void> stop() override;

    boost::asio::awaitable<Reply> authorise(AuthoriseRequest request) override;
    boost::asio::awaitable<Reply> capture(CaptureRequest request) override;
    boost::asio::awaitable<Reply> reverse(ReverseRequest request) override;
    boost::asio::awaitable<Reply> refund(RefundRequest request) override;
    boost::asio::awaitable<TotalsReply> compare_totals(TotalsRequest request) override;

private:
    boost::asio::awaitable<Reply> ask(
        std::uint32_t link, Result<Message> request, unsigned timeout_ms, std::optional<Money> asked
    );
    // The link of that number where it is ready, else another one that is, else that one.
    Link& way_for(std::uint32_t number);
    // The ready link with the least to do, beginning at one that changes with each call; where none
    // is ready, that with the least to do.
    std::size_t least_busy() const;

    std::int64_t now_s() const;

    Iso8583Options const options_;
    Clock const& clock_;
    std::vector<std::unique_ptr<Link>> links_;
    mutable std::atomic<std::size_t> turn_ = 0;
};

}  // namespace florin::connectors::iso8583
