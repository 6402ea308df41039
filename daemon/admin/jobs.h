// Work that takes longer than a request should: started by one, asked about by others.
// Thread rule: any thread; jobs run on the executor they were started on.
#pragma once

#include "ledger/base/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace florin::admin {

class Jobs {
public:
    // What a job answers in the end: JSON text.
    using Work = boost::asio::awaitable<Result<std::string>>;
    struct Progress {
        std::string step;
        std::uint64_t done = 0;
    };
    struct Report {
        bool running = true;
        Progress progress;
        Result<std::string> result{std::string{}};
    };

    // Answers the job's id. The last few finished jobs are remembered.
    std::string start(
        boost::asio::any_io_executor executor,
        std::string const& name,
        Work work,
        std::function<Progress()> progress
    );
    // nullopt: there is no such job, or it was forgotten.
    std::optional<Report> report(std::string const& id) const;
    // Returns when no job runs any more.
    void wait();

private:
    struct Job {
        std::function<Progress()> progress;
        bool finished = false;
        Result<std::string> result{std::string{}};
        std::future<void> end;
    };
    boost::asio::awaitable<void> run(std::shared_ptr<Job> job, Work work);

    mutable std::mutex mutex_;
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, std::pair<std::string, std::shared_ptr<Job>>> jobs_;
};

}  // namespace florin::admin
