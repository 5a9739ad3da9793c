"""Where the cluster is and how the Kafka runtime behaves on it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

from streams.topics import Topic, all_topics

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


@dataclass(frozen=True, kw_only=True)
class Security:
    """How clients prove who they are. The password is a revealed secret; it is never shown."""

    protocol: SecurityProtocol = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str | None = None

    @property
    def uses_tls(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        return self.protocol.startswith("SASL")

    def tls_context(self) -> ssl.SSLContext | None:
        """Server certificates are checked against ``ca_file``, or the system's authorities."""
        return ssl.create_default_context(cafile=self.ca_file) if self.uses_tls else None


@dataclass(frozen=True, kw_only=True)
class KafkaSettings:
    """Settings of the Kafka runtime.

    Attributes:
        partitions: partitions of ``readings``; the most workers that can share the index stage. Fixed for good:
            another number moves stations between partitions, away from their state.
        airshed_partitions: partitions of the topics keyed by airshed.
        group: prefix of everything of this installation on the cluster: consumer groups and state topics.
        worker: stable name of this worker within the group. A worker that comes back under its name takes its
            partitions over at once; without one, the group waits out the dead member's session.
        grace_s: seconds of wall time after which a silent source is no longer waited for.
        session_s: seconds without a heartbeat after which a worker counts as dead and its partitions move.
        commit_s: how often finished offsets are committed. Repeated work after a crash is harmless, so this only
            bounds its amount.
        fetch_bytes: most bytes fetched per partition at once, which is what one step of work is. Four megabytes are
            some 25 000 readings and a tenth of a second for the index stage. They only come together when the worker
            is behind, and then a station whose readings lie in one fetch is written to the state once: an eighth more
            readings per second than with one megabyte. More gains little and delays marks.
        reject_ratio / reject_run / reject_window: the worker stops when more than this share of the latest
            ``reject_window`` readings of a partition, or this many in a row, cannot be used: then it is not the
            readings that are wrong but the feed, the registry or the version, and a person must look.
    """

    bootstrap: list[str]
    partitions: int = 6
    airshed_partitions: int = 2
    replication: int = 1
    group: str = "airshed"
    worker: str = field(default_factory=socket.gethostname)
    grace_s: float = 600.0
    session_s: float = 10.0
    commit_s: float = 1.0
    fetch_bytes: int = 4_194_304
    reject_ratio: float = 0.5
    reject_run: int = 10_000
    reject_window: int = 10_000
    security: Security = Security()

    def topics(self) -> list[Topic]:
        """The topics this installation needs."""
        return all_topics(
            group=self.group,
            partitions=self.partitions,
            airshed_partitions=self.airshed_partitions,
            replication=self.replication,
        )

    def client(self) -> dict[str, Any]:
        """Connection options, as aiokafka names them."""
        return {"bootstrap_servers": self.bootstrap, **self._security("ssl_context")}

    def admin(self) -> dict[str, Any]:
        """Connection options, as kafka-python names them."""
        return {"bootstrap_servers": self.bootstrap, **self._security("ssl_context")}

    def _security(self, tls_option: str) -> dict[str, Any]:
        security = self.security
        options: dict[str, Any] = {"security_protocol": security.protocol}
        if security.uses_tls:
            options[tls_option] = security.tls_context()
        if security.uses_sasl:
            options |= {
                "sasl_mechanism": security.mechanism,
                "sasl_plain_username": security.username,
                "sasl_plain_password": security.password,
            }
        return options
