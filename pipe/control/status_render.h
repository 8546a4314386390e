// SPDX-License-Identifier: Apache-2.0
// A StatusReport as text for a person, as JSON, as Prometheus metrics and as an answer to a health check.
// Keys and metric names are stable: doc/operation.md lists them. Pure, any thread.
//
// Texts that came from elsewhere (labels, messages, figures of a sender) are data: in the text page no byte
// of them reaches a terminal as a control character, and figures that are no JSON stand in JSON as a string.
#pragma once

#include <string>

#include "pipe/control/status.h"

namespace tidegate {

std::string status_text(const StatusReport& report);
std::string status_json(const StatusReport& report);
// Prometheus text format 0.0.4.
std::string status_metrics(const StatusReport& report);

struct HealthAnswer {
  int http_status = 200;  // 503: failed
  std::string body;       // {"status":"ok","message":"..."} as JSON
};
HealthAnswer status_health(const StatusReport& report);

const char* health_name(Health health);  // "ok", "degraded", "failed"

}  // namespace tidegate
