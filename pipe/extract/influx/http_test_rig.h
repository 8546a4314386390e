// SPDX-License-Identifier: Apache-2.0
// For the tests of the HTTP source: a journal on a simulated disk whose syncs can be held up, the source on a
// free port of loopback, and a client of raw bytes.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/real_env.h"
#include "base/sim_env.h"
#include "pipe/extract/influx/influx_http.h"
#include "pipe/stream/stream_state.h"

namespace tidegate::testing {

inline std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// Polls, never longer than 20 s.
inline bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

struct Answer {
  int status = 0;  // 0: the connection ended instead
  std::map<std::string, std::string> headers;
  std::string body;
};

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // False when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void finish_sending() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // RST instead of FIN.
  void abort() {
    linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

  Answer receive(bool to_head = false) {
    Answer out;
    std::size_t end = std::string::npos;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos)
      if (!fill()) return out;
    const std::string head = input_.substr(0, end);
    input_.erase(0, end + 4);
    out.status = std::stoi(head.substr(head.find(' ') + 1));
    for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 1)) {
      const std::size_t colon = head.find(": ", at);
      out.headers[head.substr(at + 2, colon - at - 2)] =
          head.substr(colon + 2, head.find("\r\n", colon) - colon - 2);
    }
    const std::size_t size =
        out.headers.contains("Content-Length") ? std::stoul(out.headers["Content-Length"]) : 0;
    if (to_head) return out;
    if (out.headers.contains("Transfer-Encoding")) return receive_chunks(std::move(out));
    while (input_.size() < size)
      if (!fill()) return {};
    out.body = input_.substr(0, size);
    input_.erase(0, size);
    return out;
  }
  Answer call(const std::string& bytes) {
    send(bytes);
    return receive();
  }
  // Nothing more comes: the server has closed.
  bool at_end() {
    while (fill()) {
    }
    return input_.empty();
  }
  // Something can be read within `millis`.
  bool readable(int millis) {
    pollfd poll{fd_, POLLIN, 0};
    return !input_.empty() || ::poll(&poll, 1, millis) > 0;
  }

 private:
  Answer receive_chunks(Answer out) {
    for (;;) {
      std::size_t end = std::string::npos;
      while ((end = input_.find("\r\n")) == std::string::npos)
        if (!fill()) return {};
      const std::size_t size = std::stoul(input_.substr(0, end), nullptr, 16);
      while (input_.size() < end + 2 + size + 2)
        if (!fill()) return {};
      out.body += input_.substr(end + 2, size);
      input_.erase(0, end + 2 + size + 2);
      if (size == 0) return out;
    }
  }
  bool fill() {
    char bytes[4096];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    input_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  int fd_;
  std::string input_;
};

// A request with Content-Length; `headers` are whole lines with \r\n.
inline std::string post(const std::string& target, const std::string& body, const std::string& headers = {}) {
  return "POST " + target + " HTTP/1.1\r\nHost: x\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class HttpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.listen = {"127.0.0.1", 0};
    options_.version = "1.8.10+test";
    sim_.files.on_effect([this](EffectKind kind, const std::string& /*path*/) {
      if (kind != EffectKind::kSync) return;
      std::unique_lock lock(mutex_);
      if (hold_) ++held_;
      changed_.wait(lock, [this] { return !hold_; });
    });
  }
  void TearDown() override {
    release_syncs();
    source_.reset();
    ingest_.reset();
  }

  // Time is real: the source has time limits; files are simulated.
  Env env() { return {&sim_.files, real_env().clock, real_env().random}; }

  void start() {
    state_ = std::make_unique<StreamState>();
    JournalOptions options;
    options.directory = "/journal";
    options.quota_bytes = quota_;
    options.segment_bytes = 4 << 20;
    options.reserve_bytes = 1 << 20;
    auto journal = Journal::open(env(), options, state_.get());
    ASSERT_TRUE(journal.ok()) << journal.error().text();
    journal_ = std::move(*journal);
    ingest_ = std::make_unique<Ingest>(env(), journal_.get(), ingest_options_, [](Lsn) {});
    auto source = InfluxHttpSource::start(env(), options_, ingest_.get(), health_, state_->request_marks());
    ASSERT_TRUE(source.ok()) << source.error().text();
    source_ = std::move(*source);
  }

  // The process dies and starts again; what was synced is there.
  void crash_and_start() {
    sim_.files.power_cut(sim_.random);
    source_.reset();
    ingest_.reset();
    journal_.reset();
    start();
  }

  // One request on a connection of its own.
  Answer call(const std::string& bytes) { return Client(source_->port()).call(bytes); }

  // Every row that is durable, as "database table{tag=value} field=value @time unit", in the order of the
  // journal.
  std::vector<std::string> stored() {
    std::vector<std::string> out;
    auto reader = journal_->reader(1);
    while (true) {
      auto record = reader.next();
      if (!record.ok() || !record->has_value()) return out;
      const auto decoded = decode_container((*record)->meta.codec, (*record)->meta.decoded_size,
                                            (*record)->container, 1 << 30);
      for (const ByteView batch : decoded.value().batches) {
        const TimeUnit unit = summarize(batch).value().unit;
        EXPECT_TRUE(for_each_row(batch, [&](const RowView& row) {
                      return out.push_back(text(row, unit)), true;
                    }).ok());
      }
    }
  }

  void hold_syncs() {
    const std::lock_guard lock(mutex_);
    hold_ = true;
    held_ = 0;
  }
  bool sync_is_held() {
    return eventually([this] {
      const std::lock_guard lock(mutex_);
      return held_ > 0;
    });
  }
  void release_syncs() {
    const std::lock_guard lock(mutex_);
    hold_ = false;
    changed_.notify_all();
  }

  SimEnv sim_{1};
  std::unique_ptr<StreamState> state_;
  std::uint64_t quota_ = 0;
  IngestOptions ingest_options_;
  InfluxHttpOptions options_;
  InfluxHttpSource::Health health_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Ingest> ingest_;
  std::unique_ptr<InfluxHttpSource> source_;

 private:
  static std::string text(const ValueView& value) {
    switch (value.type) {
      case ValueType::kBool:
        return value.b ? "true" : "false";
      case ValueType::kInt64:
        return std::to_string(value.i64) + "i";
      case ValueType::kUint64:
        return std::to_string(value.u64) + "u";
      case ValueType::kDouble: {
        std::string out = std::to_string(value.f64);
        out.erase(out.find_last_not_of('0') + 1);
        return out;
      }
      default:
        return "\"" + std::string(value.text) + "\"";
    }
  }
  static std::string text(const RowView& row, TimeUnit unit) {
    static constexpr const char* kUnits[] = {"s", "ms", "us", "ns"};
    std::string out = std::string(row.database) + " " + std::string(row.table) + "{";
    for (const TagView& tag : row.tags)
      out += (out.back() == '{' ? "" : ",") + std::string(tag.key) + "=" + std::string(tag.value);
    out += "}";
    for (const FieldView& field : row.fields) out += " " + std::string(field.name) + "=" + text(field.value);
    return out + " @" + std::to_string(row.time) + kUnits[static_cast<int>(unit)];
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool hold_ = false;
  int held_ = 0;
};

}  // namespace tidegate::testing
