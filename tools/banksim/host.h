// The simulated bank on TCP: ISO 8583 connections, and the control port.
//
// With a MAC, messages whose MAC is wrong or missing are dropped with a line on standard error;
// with key exchange every connection gets keys of its own. Messages that arrive together are booked
// in one durable group and answered after it. Thread rule: everything runs on one io_context with
// one thread; book and faults are used from there only.
#pragma once

#include "connectors/iso8583/codec.h"
#include "connectors/iso8583/codec_mac.h"
#include "tools/banksim/book.h"
#include "tools/banksim/faults.h"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace florin::banksim {

class Host {
public:
    Host(
        boost::asio::io_context& context,
        Book& book,
        Faults& faults,
        connectors::iso8583::Packaging packaging,
        connectors::iso8583::MacOptions mac = {}
    );
    ~Host();

    // "127.0.0.1:0" and the like; answers the address with the port that the system chose.
    Result<std::string> listen(std::string const& address);
    Result<std::string> listen_control(std::string const& address);
    // Sends each link with key exchange a new key, and says to how many. It counts when the link
    // has answered.
    std::size_t change_keys();
    // Closes listeners and connections; the io_context runs out of work.
    void stop();

private:
    class State;
    std::shared_ptr<State> state_;
};

}  // namespace florin::banksim
