#include "daemon/admin/jobs.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

namespace florin::admin {
namespace {

constexpr std::size_t kRemembered = 32;

}  // namespace

boost::asio::awaitable<void> Jobs::run(std::shared_ptr<Job> job, Work work) {
    auto result = co_await std::move(work);
    std::lock_guard const lock{mutex_};
    job->result = std::move(result);
    job->finished = true;
}

std::string Jobs::start(
    boost::asio::any_io_executor executor,
    std::string const& name,
    Work work,
    std::function<Progress()> progress
) {
    auto job = std::make_shared<Job>();
    job->progress = std::move(progress);
    std::string id;
    {
        std::lock_guard const lock{mutex_};
        ++last_;
        id = name + "-" + std::to_string(last_);
        jobs_[last_] = {id, job};
        for (auto each = jobs_.begin(); jobs_.size() > kRemembered && each != jobs_.end();) {
            each = each->second.second->finished ? jobs_.erase(each) : std::next(each);
        }
    }
    auto end = boost::asio::co_spawn(executor, run(job, std::move(work)), boost::asio::use_future);
    std::lock_guard const lock{mutex_};
    job->end = std::move(end);
    return id;
}

std::optional<Jobs::Report> Jobs::report(std::string const& id) const {
    std::lock_guard const lock{mutex_};
    for (auto const& [number, each] : jobs_) {
        if (each.first == id) {
            Job const& job = *each.second;
            return Report{
                .running = !job.finished, .progress = job.progress(), .result = job.result
            };
        }
    }
    return std::nullopt;
}

void Jobs::wait() {
    std::map<std::uint64_t, std::pair<std::string, std::shared_ptr<Job>>> jobs;
    {
        std::lock_guard const lock{mutex_};
        jobs.swap(jobs_);
    }
    for (auto const& [number, each] : jobs) {
        if (each.second->end.valid()) {
            each.second->end.wait();
        }
    }
}

}  // namespace florin::admin
