// SPDX-License-Identifier: Apache-2.0
// tidegate-telemetry: a plant as an InfluxDB client sees it. Wind turbines write their figures as line
// protocol over HTTP, again and again until they are acknowledged, as any client with a retry does. What was
// acknowledged goes to a file, line by line in the order of each series, so that somebody else can compare it
// with what arrived.
//
// One line on stdout every half second: JSON with the counts so far. Uses nothing of the gateway's code.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string host = "127.0.0.1";
  int port = 8086;
  std::string target = "/write?db=plant&precision=ns";
  std::string authorization;
  std::string acknowledged;  // file; empty: none
  int units = 2000;
  int fields = 10;
  int lines = 2000;  // per request
  int connections = 2;
  double rate = 200'000;  // values per second; 0: as fast as possible
  double seconds = 10;
  double patience = 120;  // how long one request is tried
  bool gzip = false;
  std::uint64_t seed = 1;
};

std::atomic<std::uint64_t> g_lines{0}, g_values{0}, g_requests{0}, g_retries{0}, g_bytes{0};
std::atomic<bool> g_failed{false};
std::mutex g_file_mutex;
std::FILE* g_file = nullptr;

// A random walk per unit and field, rounded as transmitters round: two decimals.
class Turbines {
 public:
  Turbines(const Options& o, int first, int count)
      : options_(o),
        first_(first),
        values_(static_cast<std::size_t>(count) * static_cast<std::size_t>(o.fields)),
        state_(o.seed + static_cast<std::uint64_t>(first)) {
    for (auto& v : values_) v = static_cast<int>(next() % 100'000);
  }
  // One line in the portable form: tags and fields ascending, shortest numbers, explicit time.
  void line(int unit, std::int64_t time, std::string* out) {
    const int number = first_ + unit;
    out->append("turbine,farm=f");
    append(number / 100, out);
    out->append(",unit=u");
    append(number, out);
    char separator = ' ';
    for (int f = 0; f < options_.fields; ++f) {
      int& v = values_[static_cast<std::size_t>(unit * options_.fields + f)];
      v += static_cast<int>(next() % 41) - 20;
      out->push_back(separator);
      separator = ',';
      out->append("p");
      out->push_back(static_cast<char>('0' + f / 10));
      out->push_back(static_cast<char>('0' + f % 10));
      out->push_back('=');
      number2(v, out);
    }
    out->push_back(' ');
    append(time, out);
    out->push_back('\n');
  }

 private:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  template <class T>
  static void append(T v, std::string* out) {
    char text[24];
    const auto end = std::to_chars(text, text + sizeof(text), v).ptr;
    out->append(text, end);
  }
  static void number2(int hundredths, std::string* out) {  // the shortest form of hundredths / 100
    if (hundredths < 0) out->push_back('-');
    const int v = std::abs(hundredths);
    append(v / 100, out);
    const int rest = v % 100;
    if (rest == 0) return;
    out->push_back('.');
    out->push_back(static_cast<char>('0' + rest / 10));
    if (rest % 10 != 0) out->push_back(static_cast<char>('0' + rest % 10));
  }

  const Options& options_;
  int first_;
  std::vector<int> values_;  // hundredths
  std::uint64_t state_;
};

std::string gzip(const std::string& body) {
  z_stream z{};
  deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, body.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  z.avail_in = static_cast<uInt>(body.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

class Connection {
 public:
  explicit Connection(const Options& o) : options_(o) {}
  ~Connection() { drop(); }

  // The status of the answer, or 0 when there was none.
  int post(const std::string& body) {
    if (fd_ < 0 && !open()) return 0;
    std::string head = "POST " + options_.target + " HTTP/1.1\r\nHost: plant\r\nContent-Type: text/plain\r\n";
    if (options_.gzip) head += "Content-Encoding: gzip\r\n";
    if (!options_.authorization.empty()) head += "Authorization: " + options_.authorization + "\r\n";
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    const int status = send_all(head) && send_all(body) ? answer() : 0;
    if (status == 0) drop();
    return status;
  }

 private:
  bool open() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    inet_pton(AF_INET, options_.host.c_str(), &to.sin_addr);
    const timeval limit{30, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0) return true;
    drop();
    return false;
  }
  void drop() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    rest_.clear();
  }
  bool send_all(const std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t n = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (n <= 0) return false;
      done += static_cast<std::size_t>(n);
    }
    return true;
  }
  int answer() {
    std::size_t end = std::string::npos;
    while ((end = rest_.find("\r\n\r\n")) == std::string::npos)
      if (!receive()) return 0;
    std::string head = rest_.substr(0, end);
    std::transform(head.begin(), head.end(), head.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::size_t length = 0;
    if (const std::size_t at = head.find("content-length:"); at != std::string::npos)
      length = std::strtoul(head.c_str() + at + 15, nullptr, 10);
    while (rest_.size() < end + 4 + length)
      if (!receive()) return 0;
    const int status = std::atoi(head.c_str() + 9);
    if (status != 204) std::fprintf(stderr, "answer %d: %s\n", status, rest_.substr(end + 4, length).c_str());
    rest_.erase(0, end + 4 + length);
    return status;
  }
  bool receive() {
    char buffer[4096];
    const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (n <= 0) return false;
    rest_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  const Options& options_;
  int fd_ = -1;
  std::string rest_;
};

// Sends until it is acknowledged: 204, nothing else. False when patience ends or the request is refused for
// good.
bool deliver(const Options& o, Connection& connection, const std::string& body) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(o.patience);
  for (;;) {
    const int status = connection.post(body);
    if (status == 204) return true;
    if (status != 0 && status != 503 && status != 429) return false;
    if (Clock::now() > deadline) return false;
    ++g_retries;
    ::poll(nullptr, 0, 50);
  }
}

void run_connection(const Options& o, int index) {
  const int share = o.units / o.connections;
  Turbines turbines(o, index * share, share);
  Connection connection(o);
  const std::int64_t start_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                    std::chrono::system_clock::now().time_since_epoch())
                                    .count();
  const auto start = Clock::now();
  const double rows_per_second = o.rate / o.fields / o.connections;
  std::string body;
  std::uint64_t rows = 0;
  while (!g_failed && std::chrono::duration<double>(Clock::now() - start).count() < o.seconds) {
    body.clear();
    // Each pass over the units is one scan of the plant: one time stamp per scan.
    for (int i = 0; i < o.lines; ++i, ++rows) {
      const auto scan = static_cast<std::int64_t>(rows) / share;
      const double scan_seconds = rows_per_second > 0 ? share / rows_per_second : 0.01;
      turbines.line(static_cast<int>(rows % static_cast<std::uint64_t>(share)),
                    start_ns + static_cast<std::int64_t>(static_cast<double>(scan) * scan_seconds * 1e9),
                    &body);
    }
    if (!deliver(o, connection, o.gzip ? gzip(body) : body)) {
      g_failed = true;
      break;
    }
    ++g_requests;
    g_lines += static_cast<std::uint64_t>(o.lines);
    g_values += static_cast<std::uint64_t>(o.lines) * static_cast<std::uint64_t>(o.fields);
    g_bytes += body.size();
    if (g_file != nullptr) {
      const std::lock_guard lock(g_file_mutex);
      std::fwrite(body.data(), 1, body.size(), g_file);
    }
    if (rows_per_second <= 0) continue;
    // Never ahead of the plant's clock; behind after an outage, then as fast as the gateway takes it.
    const auto due = start + std::chrono::duration<double>(static_cast<double>(rows) / rows_per_second);
    const double ahead = std::chrono::duration<double>(due - Clock::now()).count();
    if (ahead > 0) ::poll(nullptr, 0, static_cast<int>(std::ceil(ahead * 1e3)));
  }
}

void report(double elapsed, const char* state) {
  std::printf(
      "{\"state\":\"%s\",\"elapsed\":%.2f,\"lines\":%llu,\"values\":%llu,\"requests\":%llu,\"retries\":%llu,"
      "\"bytes\":%llu}\n",
      state, elapsed, static_cast<unsigned long long>(g_lines.load()),
      static_cast<unsigned long long>(g_values.load()), static_cast<unsigned long long>(g_requests.load()),
      static_cast<unsigned long long>(g_retries.load()), static_cast<unsigned long long>(g_bytes.load()));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{"tidegate-telemetry: writes plant telemetry as line protocol and keeps what was acknowledged"};
  app.add_option("--host", o.host, "IPv4 address")->capture_default_str();
  app.add_option("--port", o.port)->capture_default_str();
  app.add_option("--target", o.target, "path and query of the write request")->capture_default_str();
  app.add_option("--authorization", o.authorization, "value of the Authorization header");
  app.add_option("--acknowledged", o.acknowledged, "file for the acknowledged lines");
  app.add_option("--units", o.units, "turbines; each has --fields series")->capture_default_str();
  app.add_option("--fields", o.fields)->check(CLI::Range(1, 100))->capture_default_str();
  app.add_option("--lines", o.lines, "lines per request")->capture_default_str();
  app.add_option("--connections", o.connections)->capture_default_str();
  app.add_option("--rate", o.rate, "values per second; 0: as fast as possible")->capture_default_str();
  app.add_option("--seconds", o.seconds)->capture_default_str();
  app.add_option("--patience", o.patience, "seconds that one request is tried")->capture_default_str();
  app.add_option("--seed", o.seed)->capture_default_str();
  app.add_flag("--gzip", o.gzip);
  CLI11_PARSE(app, argc, argv);
  if (!o.acknowledged.empty()) {
    g_file = std::fopen(o.acknowledged.c_str(), "ab");
    if (g_file == nullptr) {
      std::perror(o.acknowledged.c_str());
      return 2;
    }
  }
  const auto start = Clock::now();
  const auto elapsed = [start] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  std::atomic<int> running{o.connections};
  std::vector<std::jthread> threads;
  for (int i = 0; i < o.connections; ++i)
    threads.emplace_back([&o, i, &running] {
      run_connection(o, i);
      --running;
    });
  while (running > 0) {
    for (int i = 0; i < 50 && running > 0; ++i) ::poll(nullptr, 0, 10);
    report(elapsed(), "running");
  }
  threads.clear();
  if (g_file != nullptr) std::fclose(g_file);
  report(elapsed(), g_failed ? "failed" : "done");
  return g_failed ? 1 : 0;
}
