// A thread with an event loop of its own.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <pthread.h>
#include <thread>

namespace florin {

// For connectors, timers and what nobody waits for. Thread rule: made, stopped and destroyed by one
// thread, which is not its own; executor() by any.
class IoThread {
public:
    // `name` is what debuggers and `top` show: at most 15 characters.
    explicit IoThread(char const* name) : work_{boost::asio::make_work_guard(context_)} {
        thread_ = std::thread{[this] { context_.run(); }};
        pthread_setname_np(thread_.native_handle(), name);
    }
    IoThread(IoThread const&) = delete;
    IoThread& operator=(IoThread const&) = delete;
    ~IoThread() { stop(); }
    boost::asio::any_io_executor executor() { return context_.get_executor(); }
    // What is under way is dropped with the context. Twice is once.
    void stop() {
        work_.reset();
        context_.stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

private:
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::thread thread_;
};

}  // namespace florin
