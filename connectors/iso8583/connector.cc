#include "connectors/iso8583/connector.h"

#include "connectors/iso8583/dialect.h"
#include "connectors/iso8583/response_codes.h"
#include "connectors/iso8583/tlv.h"
#include "connectors/iso8583/totals.h"
#include "ledger/base/calendar.h"
#include "ledger/base/check.h"

#include <charconv>
#include <utility>

namespace florin::connectors::iso8583 {
namespace {

constexpr std::string_view kPurchase = "000000";  // field 3
constexpr std::string_view kRefund = "200000";

std::string two_digits(int value) {
    std::string const text = std::to_string(value % 100);
    return text.size() == 1 ? "0" + text : text;
}

std::string_view trim(std::string_view text) {
    auto const last = text.find_last_not_of(' ');
    return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

std::string six_digits(std::uint32_t value) {
    auto const text = std::to_string(value);
    return std::string(text.size() < 6 ? 6 - text.size() : 0, '0') + text;
}

// What all four have. The time and date of the terminal are those of the transmission, so that a
// repeat has the same bytes as the first message but for the MTI.
Result<Message> message_of(
    std::string_view mti,
    std::string_view processing_code,
    Identity const& identity,
    Money amount,
    Card const& card,
    Terminal const& terminal,
    Iso8583Options const& options,
    std::int64_t now_s,
    bool is_mail_or_telephone = false
) {
    Dialect const& dialect = dialect_of(options.link.packaging);
    FLORIN_CHECK(
        identity.stan >= 1 && identity.stan <= 999'999 && identity.transmission_time.size() == 10,
        "an ISO 8583 message has an identity from its intent"
    );
    Message message{dialect.wire_mti(mti)};
    FLORIN_TRY_VOID(message.set_amount(amount));
    if (!card.pan.empty()) {
        message.set_pan(card.pan);
    }
    message.set(3, processing_code);
    message.set(7, identity.transmission_time);
    message.set_stan(identity.stan);
    dialect.set_local_time(message, identity.transmission_time, now_s);
    if (card.exp_month != 0) {
        message.set(14, two_digits(card.exp_year) + two_digits(card.exp_month));
    }
    auto const set_present = [&message](int field, std::string const& value) {
        if (!value.empty()) {
            message.set(field, value);
        }
    };
    if (!terminal.category_code.empty()) {
        dialect.set_category(message, terminal.category_code);
    }
    dialect.set_point_of_service(
        message,
        {.entry_mode = options.pos_entry_mode,
         .condition_code = options.pos_condition_code,
         .data_code = options.pos_data_code,
         .is_mail_or_telephone = is_mail_or_telephone}
    );
    set_present(32, options.acquirer_id);
    set_present(33, options.forwarder_id);
    message.set(37, identity.rrn);
    message.set(41, terminal.terminal_id);
    message.set(42, terminal.acceptor_id);
    set_present(43, terminal.name_location);
    return message;
}

void set_original(
    Message& message,
    OriginalReference const& original,
    Iso8583Options const& options,
    std::int64_t now_s
) {
    if (!original.authorization_code.empty()) {
        message.set(38, original.authorization_code);
    }
    dialect_of(options.link.packaging)
        .set_original(
            message,
            {.mti = original.mti,
             .stan = six_digits(original.stan),
             .transmission_time = original.transmission_time,
             .acquirer = options.acquirer_id,
             .forwarder = options.forwarder_id},
            now_s
        );
}

}  // namespace

Result<Message> authorise_message(
    AuthoriseRequest const& request, Iso8583Options const& options, std::int64_t now_s
) {
    FLORIN_TRY(
        auto message,
        message_of(
            "0100",
            kPurchase,
            request.identity,
            request.amount,
            request.card,
            request.terminal,
            options,
            now_s,
            request.is_mail_or_telephone
        )
    );
    dialect_of(options.link.packaging).set_function(message);
    if (!request.chip_data.empty()) {
        FLORIN_TRY_VOID(check_tlv(request.chip_data.reveal()));
        message.set(55, request.chip_data.reveal());
    }
    ElementPlaces const& places = options.link.packaging.elements;
    Authentication const& authentication = request.authentication;
    FLORIN_TRY_VOID(add_element(message, places.cvc, request.card.cvv.reveal()));
    FLORIN_TRY_VOID(add_element(
        message, places.electronic_commerce_indicator, authentication.electronic_commerce_indicator
    ));
    FLORIN_TRY_VOID(add_element(message, places.cryptogram, authentication.cryptogram.reveal()));
    FLORIN_TRY_VOID(add_element(message, places.three_d_secure_version, authentication.version));
    FLORIN_TRY_VOID(
        add_element(message, places.three_d_secure_transaction, authentication.transaction_id)
    );
    FLORIN_TRY_VOID(
        add_element(message, places.credential_use, credential_use_code(request.credential))
    );
    FLORIN_TRY_VOID(add_element(
        message, places.original_network_transaction, request.original_network_transaction_id
    ));
    return message;
}

Result<Message> capture_message(
    CaptureRequest const& request, Iso8583Options const& options, std::int64_t now_s
) {
    FLORIN_TRY(
        auto message,
        message_of(
            request.repeat ? "0221" : "0220",
            kPurchase,
            request.identity,
            request.amount,
            request.card,
            request.terminal,
            options,
            now_s
        )
    );
    FLORIN_TRY_VOID(dialect_of(options.link.packaging)
                        .set_capture(message, request.amount, request.original.approved));
    set_original(message, request.original, options, now_s);
    return message;
}

Result<Message> reverse_message(
    ReverseRequest const& request, Iso8583Options const& options, std::int64_t now_s
) {
    FLORIN_TRY(
        auto message,
        message_of(
            request.repeat ? "0421" : "0420",
            request.original.mti.starts_with("020") ? kRefund : kPurchase,
            request.identity,
            request.amount,
            request.card,
            request.terminal,
            options,
            now_s
        )
    );
    FLORIN_TRY_VOID(
        dialect_of(options.link.packaging).set_reversal(message, request.reason, request.remaining)
    );
    set_original(message, request.original, options, now_s);
    return message;
}

Result<Message> refund_message(
    RefundRequest const& request, Iso8583Options const& options, std::int64_t now_s
) {
    FLORIN_TRY(
        auto message,
        message_of(
            request.repeat ? "0201" : "0200",
            kRefund,
            request.identity,
            request.amount,
            request.card,
            request.terminal,
            options,
            now_s
        )
    );
    dialect_of(options.link.packaging).set_function(message);
    set_original(message, request.original, options, now_s);
    return message;
}

Reply reply_of(Message const& answer, std::optional<Money> asked, Packaging const& packaging) {
    auto const& meaning = meaning_of(answer.get(39));
    Reply reply{
        .outcome = meaning.outcome,
        .approved = std::nullopt,
        .response_code = std::string{answer.get(39)},
        .authorization_code = std::string{answer.trimmed(38)},
        .network_transaction_id =
            std::string{trim(element(answer, packaging.elements.network_transaction))},
        .detail = describe(answer),
    };
    if (answer.has(55) && check_tlv(answer.get(55))) {
        reply.chip_data = ChipData{answer.get(55)};
    }
    if (meaning.outcome != Outcome::approved) {
        return reply;
    }
    auto const unclear = [&reply](std::string_view why) {
        reply.outcome = Outcome::unknown;
        reply.detail += ": " + std::string{why};
        return reply;
    };
    if (!dialect_of(packaging).approves(answer.mti(), answer.get(39))) {
        return unclear("an approval of another kind of message");
    }
    auto const amount = answer.amount();
    if (answer.has(4) && !amount && amount.error().code == Errc::malformed) {
        return unclear("its amount cannot be read");
    }
    reply.is_partial = meaning.is_partial;
    if (amount) {
        reply.said_minor = amount->minor;
        reply.said_currency = amount->currency;
    } else if (answer.has(4)) {
        // Field 49 is left out: the currency is that of the request.
        auto const digits = answer.get(4);
        std::from_chars(digits.data(), digits.data() + digits.size(), reply.said_minor.emplace());
    }
    if (asked) {
        bool const may_be_partial = dialect_of(packaging).plain_mti(answer.mti()) == "0110";
        hold_against(reply, *asked, may_be_partial);
    }
    return reply;
}

Iso8583Connector::Iso8583Connector(
    boost::asio::any_io_executor home,
    Iso8583Options options,
    EvidenceSink& sink,
    Clock const& clock
)
    : options_{std::move(options)}, clock_{clock} {
    FLORIN_CHECK(options_.more_links.size() < kLinksMax, "references tell all links apart");
    auto const take_late = [&sink,
                            id = options_.id,
                            packaging = options_.link.packaging,
                            acquirer = options_.acquirer_id](Message const& answer) {
        // With 37 and 41 what tells one acquirer's messages from another's.
        if (!acquirer.empty() && answer.has(32) && answer.trimmed(32) != acquirer) {
            return;
        }
        std::uint32_t stan = 0;
        auto const digits = answer.get(11);
        std::from_chars(digits.data(), digits.data() + digits.size(), stan);
        sink.late_reply(LateReply{
            .connector = id,
            .mti = dialect_of(packaging).plain_mti(answer.mti()),
            .stan = stan,
            .transmission_time = std::string{dialect_of(packaging).request_time(answer)},
            .rrn = std::string{answer.trimmed(37)},
            .terminal_id = std::string{answer.trimmed(41)},
            .reply = reply_of(answer, std::nullopt, packaging),
        });
    };
    links_.push_back(std::make_unique<Link>(home, options_.link, clock, take_late));
    for (LinkPlace const& place : options_.more_links) {
        LinkOptions link = options_.link;
        link.host = place.host;
        link.port = place.port;
        link.connections = place.connections;
        links_.push_back(std::make_unique<Link>(home, std::move(link), clock, take_late));
    }
}

std::size_t Iso8583Connector::least_busy() const {
    std::size_t const first = links_.size() == 1 ? 0 : turn_++ % links_.size();
    auto const rank = [this](std::size_t at) {
        return std::pair{!links_[at]->is_ready(), links_[at]->outstanding()};
    };
    std::size_t best = first;
    for (std::size_t i = 1; i < links_.size(); ++i) {
        std::size_t const at = (first + i) % links_.size();
        best = rank(at) < rank(best) ? at : best;
    }
    return best;
}

LinkChoice Iso8583Connector::choose_link() const {
    return {
        .link = static_cast<std::uint32_t>(least_busy() + 1),
        .links = static_cast<std::uint32_t>(links_.size()),
    };
}

std::vector<LinkHealth> Iso8583Connector::links() const {
    std::vector<LinkHealth> list;
    list.reserve(links_.size());
    for (auto const& link : links_) {
        list.push_back(link->health());
    }
    return list;
}

Health Iso8583Connector::health() const {
    Health health;
    for (std::size_t i = 0; i < links_.size(); ++i) {
        auto const link = links_[i]->health();
        health.ready = health.ready || link.ready;
        if (links_.size() > 1) {
            health.detail += (i == 0 ? "link " : "; link ") + std::to_string(i + 1) + ": ";
        }
        health.detail += link.detail;
    }
    return health;
}

void Iso8583Connector::start() {
    for (auto const& link : links_) {
        link->start();
    }
}

boost::asio::awaitable<void> Iso8583Connector::stop() {
    for (auto const& link : links_) {
        link->begin_stop();
    }
    for (auto const& link : links_) {
        co_await link->stop();
    }
}

Link& Iso8583Connector::way_for(std::uint32_t number) {
    Link* const own = number >= 1 && number <= links_.size() ? links_[number - 1].get() : nullptr;
    if (own != nullptr && own->is_ready()) {
        return *own;
    }
    Link& other = *links_[least_busy()];
    return other.is_ready() || own == nullptr ? other : *own;
}

boost::asio::awaitable<Reply> Iso8583Connector::ask(
    std::uint32_t link, Result<Message> request, unsigned timeout_ms, std::optional<Money> asked
) {
    Reply reply;
    if (!request) {
        reply.outcome = Outcome::not_sent;
        reply.detail = to_string(request.error());
        co_return reply;
    }
    auto running = way_for(link).exchange(std::move(*request), timeout_ms);
    auto const exchange = co_await std::move(running);
    switch (exchange.end) {
        case Exchange::End::not_sent: reply.outcome = Outcome::not_sent; break;
        case Exchange::End::unanswered: reply.outcome = Outcome::unknown; break;
        case Exchange::End::answered:
            co_return reply_of(exchange.answer, asked, options_.link.packaging);
    }
    reply.detail = exchange.detail;
    co_return reply;
}

std::int64_t Iso8583Connector::now_s() const {
    return seconds_of(clock_.wall_ns());
}

boost::asio::awaitable<Reply> Iso8583Connector::authorise(AuthoriseRequest request) {
    return ask(
        request.identity.link,
        authorise_message(request, options_, now_s()),
        options_.authorise_timeout_ms,
        request.amount
    );
}

boost::asio::awaitable<Reply> Iso8583Connector::capture(CaptureRequest request) {
    return ask(
        request.identity.link,
        capture_message(request, options_, now_s()),
        options_.capture_timeout_ms,
        request.amount
    );
}

boost::asio::awaitable<Reply> Iso8583Connector::reverse(ReverseRequest request) {
    auto message = reverse_message(request, options_, now_s());
    // Of a part, field 4 is not what the request is about in every version.
    auto const asked = message ? message->amount() : Result<Money>{request.amount};
    return ask(
        request.identity.link,
        std::move(message),
        options_.reverse_timeout_ms,
        asked ? std::optional{*asked} : std::nullopt
    );
}

boost::asio::awaitable<Reply> Iso8583Connector::refund(RefundRequest request) {
    return ask(
        request.identity.link,
        refund_message(request, options_, now_s()),
        options_.refund_timeout_ms,
        request.amount
    );
}

boost::asio::awaitable<TotalsReply> Iso8583Connector::compare_totals(TotalsRequest request) {
    TotalsReply reply;
    auto message = totals_message(request, options_, now_s());
    if (!message) {
        reply.detail = to_string(message.error());
        co_return reply;
    }
    // Another time-out would be one more setting for the same host.
    auto running =
        way_for(request.identity.link).exchange(std::move(*message), options_.capture_timeout_ms);
    auto const exchange = co_await std::move(running);
    switch (exchange.end) {
        case Exchange::End::not_sent: reply.end = TotalsReply::End::not_sent; break;
        case Exchange::End::unanswered: reply.end = TotalsReply::End::unanswered; break;
        case Exchange::End::answered:
            co_return totals_reply_of(exchange.answer, request, options_.link.packaging);
    }
    reply.detail = exchange.detail;
    co_return reply;
}

}  // namespace florin::connectors::iso8583
