// SPDX-License-Identifier: Apache-2.0
// An HTTP server of one thread for tests: answers each request with the next step of a script.
#pragma once

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tidegate::testing {

class FakeHttpServer {
 public:
  struct Step {
    std::string answer;        // raw bytes; empty: none
    bool close_after = false;  // closes the connection behind the answer
    bool hang = false;         // then says nothing and keeps the connection open
  };
  struct Request {
    std::string head, body;
    int connection = 0;  // counted from 1
  };

  FakeHttpServer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { run(); });
  }
  ~FakeHttpServer() {
    stopping_ = true;
    thread_.join();
    ::close(listener_);
  }
  FakeHttpServer(const FakeHttpServer&) = delete;
  FakeHttpServer& operator=(const FakeHttpServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // Behind the end of the script every request is answered with 204.
  void script(std::deque<Step> steps) {
    const std::scoped_lock lock(mutex_);
    script_ = std::move(steps);
  }
  std::vector<Request> requests() {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }
  static std::string answer(int status, const std::string& body, const std::string& header = "") {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + header +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  bool readable(int fd) const {
    pollfd poll_fd{fd, POLLIN, 0};
    return ::poll(&poll_fd, 1, 10) > 0;
  }
  void run() {
    for (int connection = 1; !stopping_;) {
      if (!readable(listener_)) continue;
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) continue;
      serve(fd, connection++);
      ::close(fd);
    }
  }
  void serve(int fd, int connection) {
    std::string input;
    while (!stopping_) {
      Request request;
      request.connection = connection;
      if (!read_request(fd, &input, &request)) return;
      const Step step = next(std::move(request));
      if (!step.answer.empty()) (void)!::send(fd, step.answer.data(), step.answer.size(), MSG_NOSIGNAL);
      while (step.hang && !stopping_ && !readable(fd)) {
      }
      if (step.close_after || step.hang) return;
    }
  }
  bool read_request(int fd, std::string* input, Request* request) {
    for (;;) {
      const std::size_t end = input->find("\r\n\r\n");
      if (end != std::string::npos) {
        request->head = input->substr(0, end + 2);
        const std::size_t at = request->head.find("Content-Length: ");
        const std::size_t size = at == std::string::npos ? 0 : std::stoul(request->head.substr(at + 16));
        if (input->size() >= end + 4 + size) {
          request->body = input->substr(end + 4, size);
          input->erase(0, end + 4 + size);
          return true;
        }
      }
      while (!readable(fd)) {
        if (stopping_) return false;
      }
      char chunk[65536];
      const ssize_t got = ::recv(fd, chunk, sizeof(chunk), 0);
      if (got <= 0) return false;
      input->append(chunk, static_cast<std::size_t>(got));
    }
  }
  Step next(Request request) {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(std::move(request));
    if (script_.empty()) return {"HTTP/1.1 204 No Content\r\n\r\n"};
    Step step = std::move(script_.front());
    script_.pop_front();
    return step;
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::deque<Step> script_;
  std::vector<Request> requests_;
  std::jthread thread_;
};

}  // namespace tidegate::testing
