// `florin ledger exec`: lines in, lines out, in order, each answer durable before it is written.
//
// Three things go on at once: this thread reads and parses lines and hands them to the ledger, the
// ledger thread decides and makes durable, and a thread of its own ("florin-answers") writes what
// is ready. What is under way is bounded (kWeightMax); nothing waits for more input before an
// answer that is ready is written.
#include "ledger/json/answers.h"
#include "ledger/json/fast_requests.h"
#include "ledger/json/requests.h"
#include "ledger/ledger.h"
#include "tools/florin/byte_output.h"
#include "tools/florin/ledger_commands.h"
#include "tools/florin/line_reader.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>

namespace florin::tools {
namespace {

// How much may be under way, in events: some of the largest batches, or many small ones, which then
// share a sync.
constexpr std::size_t kWeightMin = 16;
constexpr std::size_t kWeightMax = 8 * ledger::kBatchEventsMax;

// What a request's own bytes and its answer may come to.
std::size_t weight_of(ledger::Request const& request) {
    std::size_t events = ledger::kBatchEventsMax;  // what a filter finds
    if (auto const* accounts = std::get_if<ledger::CreateAccounts>(&request)) {
        events = accounts->events.size();
    } else if (auto const* transfers = std::get_if<ledger::CreateTransfers>(&request)) {
        events = transfers->events.size();
    } else if (auto const* account_ids = std::get_if<ledger::LookupAccounts>(&request)) {
        events = account_ids->ids.size();
    } else if (auto const* transfer_ids = std::get_if<ledger::LookupTransfers>(&request)) {
        events = transfer_ids->ids.size();
    } else if (std::holds_alternative<ledger::AdvanceClock>(request)) {
        events = 1;
    }
    return std::max(events, kWeightMin);
}

void append_refusal(std::string& out, Error const& error, std::uint64_t line) {
    bool const is_value = error.code == Errc::out_of_range;
    bool const is_request = error.code == Errc::unsupported;
    char const* const code = is_value     ? "bad_value"
                             : is_request ? "unknown_request"
                                          : "ledger_failed";
    out += ledger::render_error(code, error.context, line);
}

// The answers on their way out, in the order of their lines.
class Answers {
public:
    // One line's place in the order.
    struct Place {
        std::uint64_t line = 0;
        std::size_t weight = 0;
        std::optional<std::variant<ledger::JsonError, Result<ledger::Answer>>>
            answer;  // once it is there
    };

    // `on_failure` is called once, on the writing thread, when nothing can be written any more.
    Answers(ByteOutput output, std::function<void()> on_failure)
        : output_{std::move(output)},
          on_failure_{std::move(on_failure)},
          thread_{[this] { run(); }} {
        pthread_setname_np(thread_.native_handle(), "florin-answers");
    }
    Answers(Answers const&) = delete;
    Answers& operator=(Answers const&) = delete;
    ~Answers() { static_cast<void>(finish()); }

    // Waits until there is room. References stay good until the answer is written.
    Place& add(std::uint64_t line, std::size_t weight) {
        std::unique_lock lock{mutex_};
        room_.wait(lock, [&] { return weight_ == 0 || weight_ + weight <= kWeightMax; });
        weight_ += weight;
        places_.push_back({.line = line, .weight = weight, .answer = {}});
        return places_.back();
    }
    void set(Place& place, std::variant<ledger::JsonError, Result<ledger::Answer>> answer) {
        std::lock_guard const lock{mutex_};
        place.answer = std::move(answer);
        if (&place == &places_.front()) {
            ready_.notify_one();
        }
    }
    // Writes what was added, each as it becomes ready, and ends the thread.
    Result<void> finish() {
        if (thread_.joinable()) {
            {
                std::lock_guard const lock{mutex_};
                finishing_ = true;
                ready_.notify_one();
            }
            thread_.join();
        }
        return failure_ ? Result<void>{std::unexpected{*failure_}} : Result<void>{};
    }

private:
    void run() {
        std::unique_lock lock{mutex_};
        auto const is_ready = [this] { return !places_.empty() && places_.front().answer; };
        for (;;) {
            if (!is_ready()) {
                lock.unlock();
                send();
                lock.lock();
            }
            ready_.wait(lock, [&] { return is_ready() || (finishing_ && places_.empty()); });
            if (places_.empty()) {
                return;
            }
            Place place = std::move(places_.front());
            places_.pop_front();
            weight_ -= place.weight;
            room_.notify_one();
            lock.unlock();
            write(place);
            lock.lock();
        }
    }

    void write(Place const& place) {
        std::string& out = output_.buffer();
        if (failure_) {
            return;
        }
        if (auto const* error = std::get_if<ledger::JsonError>(&*place.answer)) {
            out += ledger::render_error(error->code, error->message, place.line);
        } else if (auto const& answer = std::get<1>(*place.answer); !answer) {
            append_refusal(out, answer.error(), place.line);
        } else {
            append_answer(out, *answer);
        }
        out += '\n';
        told(output_.write_full());
    }
    void send() {
        if (!failure_) {
            told(output_.flush());
        }
    }
    void told(Result<void> const& sent) {
        if (!sent) {
            failure_ = sent.error();
            on_failure_();
        }
    }

    ByteOutput output_;
    std::function<void()> on_failure_;
    std::optional<Error> failure_;  // of the writing thread, until it is joined

    std::mutex mutex_;
    std::condition_variable room_;
    std::condition_variable ready_;
    std::deque<Place> places_;
    std::size_t weight_ = 0;
    bool finishing_ = false;
    std::thread thread_;
};

class ExecRequest final : public ledger::PendingRequest {
public:
    ExecRequest(ledger::Request wanted, Answers& answers, Answers::Place& place)
        : PendingRequest{std::move(wanted)}, answers_{answers}, place_{place} {}
    void answer(Result<ledger::Answer> given) override { answers_.set(place_, std::move(given)); }

private:
    Answers& answers_;
    Answers::Place& place_;
};

Result<void> execute_lines(ledger::Ledger& ledger, LineReader& lines, Answers& answers) {
    ledger::FastRequestReader fast;
    for (;;) {
        FLORIN_TRY(auto const line, lines.next());
        if (!line) {
            return {};
        }
        if (line->is_too_long) {
            Answers::Place& place = answers.add(line->number, kWeightMin);
            answers.set(place, ledger::JsonError{"malformed_json", "a line of more than 64 MiB"});
            continue;
        }
        if (line->text.empty()) {
            continue;
        }
        std::expected<ledger::Request, ledger::JsonError> request;
        if (auto quick = fast.read(line->text)) {
            request = std::move(*quick);
        } else {
            request = ledger::parse_request(line->text);
        }
        if (!request) {
            Answers::Place& place = answers.add(line->number, kWeightMin);
            answers.set(place, std::move(request).error());
            continue;
        }
        Answers::Place& place = answers.add(line->number, weight_of(*request));
        ledger.submit(std::make_unique<ExecRequest>(std::move(*request), answers, place));
    }
}

}  // namespace

int ledger_exec(std::filesystem::path const& data_dir, bool manual_clock) {
    SystemClock const clock;
    ledger::LedgerOptions options;
    options.data_dir = data_dir;
    options.kind = ledger::LedgerKind::kernel_only;
    options.manual_clock = manual_clock;
    auto opened = ledger::Ledger::open(options, clock);
    if (!opened) {
        return report_error(opened.error());
    }
    auto& ledger = **opened;
    if (ledger.kind() != ledger::LedgerKind::kernel_only) {
        return report_error(
            {Errc::refused,
             data_dir.string() + ": belongs to florind; `ledger exec` writes only directories that "
                                 "it created itself"}
        );
    }
    LineReader lines{STDIN_FILENO, ledger::kRequestTextBytesMax};
    Answers answers{ByteOutput::standard(), [&] { lines.stop(); }};
    auto const read = execute_lines(ledger, lines, answers);
    // Decides and answers what is under way; only then is everything written.
    ledger.stop();
    auto const written = answers.finish();
    if (!written) {
        return report_error(written.error());
    }
    return read ? kDone : report_error(read.error());
}

}  // namespace florin::tools
