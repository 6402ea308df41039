#include "tests/sim/answers.h"

#include "ledger/base/bytes.h"

#include <algorithm>

namespace florin::ledger::sim {
namespace {

template <class Object>
std::string raw(Object const& object) {
    return {reinterpret_cast<char const*>(&object), sizeof object};
}

class Encoder {
public:
    explicit Encoder(std::string& out) : out_{out} {}

    template <class Status>
    void results(std::vector<EventResult<Status>> const& results) {
        out_.little(results.size());
        for (auto const& result : results) {
            out_.little(static_cast<std::uint8_t>(result.status));
            out_.little(result.timestamp);
        }
    }
    void operator()(CreateAccountsAnswer const& answer) { results(answer.results); }
    void operator()(CreateTransfersAnswer const& answer) { results(answer.results); }
    void operator()(AdvanceClockAnswer const& answer) { out_.little(answer.clock); }
    void operator()(Receipt const& receipt) {
        out_.little(static_cast<std::uint8_t>(receipt.status));
        out_.little(receipt.index);
        out_.little(static_cast<std::uint8_t>(receipt.transfer_status));
        out_.little(static_cast<std::uint8_t>(receipt.account_status));
        out_.little(receipt.current_version);
        out_.little(receipt.sequence);
        out_.little(receipt.time_ns);
        numbers(receipt.counters);
        numbers(receipt.transfer_timestamps);
    }
    void operator()(AccountsAnswer const& answer) {
        for (Account const& account : answer.accounts) {
            out_.raw(encode(account));
        }
    }
    void operator()(TransfersAnswer const& answer) {
        for (Transfer const& transfer : answer.transfers) {
            out_.raw(encode(transfer));
        }
    }
    void operator()(BalancesAnswer const& answer) {
        for (AccountBalance const& balance : answer.balances) {
            out_.little(balance.timestamp);
            out_.little(balance.debits_pending);
            out_.little(balance.debits_posted);
            out_.little(balance.credits_pending);
            out_.little(balance.credits_posted);
        }
    }

private:
    void numbers(std::vector<std::uint64_t> const& numbers) {
        out_.little(numbers.size());
        for (std::uint64_t const number : numbers) {
            out_.little(number);
        }
    }
    ByteWriter out_;
};

template <class Status>
std::string statuses(std::vector<EventResult<Status>> const& results) {
    std::string text;
    for (auto const& result : results) {
        text += std::string{status_name(result.status)} + "@" + std::to_string(result.timestamp);
        text += ' ';
    }
    return text;
}

template <class Status>
bool has_created(std::vector<EventResult<Status>> const& results) {
    return std::ranges::any_of(results, [](auto const& r) { return r.status == Status::created; });
}

}  // namespace

std::string encode(Account const& account) {
    return raw(account);
}
std::string encode(Transfer const& transfer) {
    return raw(transfer);
}

std::string encode(Result<Answer> const& answer) {
    std::string bytes;
    ByteWriter out{bytes};
    if (!answer) {
        out.little(std::uint8_t{0xff});
        out.little(static_cast<int>(answer.error().code));
        return bytes;
    }
    out.little(static_cast<std::uint8_t>(answer->index()));
    std::visit(Encoder{bytes}, *answer);
    return bytes;
}

std::string in_words(Request const& request) {
    constexpr char const* kNames[] = {
        "create_accounts",
        "create_transfers",
        "advance_clock",
        "command",
        "lookup_accounts",
        "lookup_transfers",
        "get_account_transfers",
        "get_account_balances",
        "query_accounts",
        "query_transfers",
    };
    std::string text = kNames[request.index()];
    if (auto const* transfers = std::get_if<CreateTransfers>(&request)) {
        for (Transfer const& transfer : transfers->events) {
            text += " " + to_string(transfer.id);
        }
    }
    return text;
}

std::string in_words(Result<Answer> const& answer) {
    if (!answer) {
        return to_string(answer.error());
    }
    if (auto const* accounts = std::get_if<CreateAccountsAnswer>(&*answer)) {
        return statuses(accounts->results);
    }
    if (auto const* transfers = std::get_if<CreateTransfersAnswer>(&*answer)) {
        return statuses(transfers->results);
    }
    if (auto const* clock = std::get_if<AdvanceClockAnswer>(&*answer)) {
        return "clock " + std::to_string(clock->clock);
    }
    if (auto const* receipt = std::get_if<Receipt>(&*answer)) {
        return std::string{status_name(receipt->status)} + " index " +
               std::to_string(receipt->index) + " " +
               std::string{status_name(receipt->transfer_status)} + " sequence " +
               std::to_string(receipt->sequence) + " at " + std::to_string(receipt->time_ns);
    }
    if (auto const* accounts = std::get_if<AccountsAnswer>(&*answer)) {
        return std::to_string(accounts->accounts.size()) + " accounts";
    }
    if (auto const* transfers = std::get_if<TransfersAnswer>(&*answer)) {
        return std::to_string(transfers->transfers.size()) + " transfers";
    }
    return std::to_string(std::get<BalancesAnswer>(*answer).balances.size()) + " balances";
}

bool is_read(Request const& request) {
    return request.index() >= Request{LookupAccounts{}}.index();
}

bool leaves_a_trace(Request const& request, Answer const& answer) {
    if (is_read(request)) {
        return false;
    }
    if (auto const* accounts = std::get_if<CreateAccountsAnswer>(&answer)) {
        return has_created(accounts->results);
    }
    if (auto const* transfers = std::get_if<CreateTransfersAnswer>(&answer)) {
        return has_created(transfers->results) ||
               std::ranges::any_of(transfers->results, [](auto const& r) {
                   return is_transient(r.status);
               });
    }
    if (auto const* receipt = std::get_if<Receipt>(&answer)) {
        return receipt->sequence != 0;
    }
    return true;
}

}  // namespace florin::ledger::sim
