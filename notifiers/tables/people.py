"""Residents, their places, consents and codes, and the plants."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table

from notifiers.tables.schema import metadata

subscribers = Table(
    "subscribers",
    metadata,
    Column("subscriber_id", String, primary_key=True),
    Column("language", String, nullable=False),
    Column("province", String, nullable=False),
    Column("level", Integer, nullable=False),
    Column("channels", String, nullable=False),
    Column("sms", LargeBinary),
    Column("sms_hash", String, index=True),
    Column("email", LargeBinary),
    Column("email_hash", String, index=True),
    Column("sensitive", Integer, nullable=False, server_default="0"),  # 1: asked for the words for sensitive groups
    Column("timing", String, nullable=False, server_default="any"),  # for forecasts, of which there are none yet
    Column("quiet_from", Integer),  # own quiet hours, minutes of the local day; may run over midnight
    Column("quiet_to", Integer),
    Column("accented", Integer, nullable=False, server_default="0"),  # 1: Vietnamese SMS with diacritics
    Column("state", String, nullable=False, server_default="active"),  # pending, active or stopped
    Column("stopped_channels", String, nullable=False, server_default=""),  # of ``channels``, consent was withdrawn
    Column("created_s", BigInteger, nullable=False, server_default="0"),
    Index("subscribers_province", "province", "subscriber_id"),
)

subscriber_places = Table(
    "subscriber_places",
    metadata,
    Column("subscriber_id", String, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),  # which of the person's places, from 0
    Column("province", String, primary_key=True),  # a point's circle touches several: one row each
    Column("kind", String, nullable=False),  # province, commune or point
    Column("commune", String),  # code
    Column("lat", Float),  # of the point, or of the commune's centre; WGS 84 degrees
    Column("lon", Float),
    Column("radius_km", Float),
    Column("label", String, nullable=False, server_default=""),  # what the person calls it
    Index("subscriber_places_province", "province", "subscriber_id"),
)

consents = Table(
    "consents",
    metadata,
    Column("subscriber_id", String, primary_key=True),
    Column("what", String, primary_key=True),  # sms, email or sensitive
    Column("given_s", BigInteger, primary_key=True, autoincrement=False),
    Column("wording_version", String, nullable=False),
    Column("given_by", String, nullable=False),  # page, or what the import says of its source
    Column("withdrawn_s", BigInteger),
    Column("withdrawn_by", String),
)

confirmations = Table(
    "confirmations",  # contacts given on a page, until the code that was sent to them has come back
    metadata,
    Column("id", String, primary_key=True),
    Column("request", String, nullable=False, index=True),  # what the person asked for in one go; its page's token
    Column("purpose", String, nullable=False),  # sign-up, or manage: stop or erase
    Column("subscriber_id", String, nullable=False, index=True),  # empty where nobody is known by the contact
    Column("channel", String, nullable=False),
    Column("contact", LargeBinary),
    Column("contact_hash", String, nullable=False, index=True),
    Column("language", String, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),  # wrong codes so far
    Column("created_s", BigInteger, nullable=False),
    Column("expires_s", BigInteger, nullable=False, index=True),
    Column("confirmed_s", BigInteger),
)

quotas = Table(
    "quotas",  # how often something was asked for, by keyed hash of who asked
    metadata,
    Column("name", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("window_s", BigInteger, primary_key=True, autoincrement=False),  # when the window began
    Column("used", Integer, nullable=False),
)

erasures = Table(
    "erasures",  # ids that may not come back by an import
    metadata,
    Column("subscriber_id", String, primary_key=True),
    Column("erased_s", BigInteger, nullable=False),
    Column("erased_by", String, nullable=False),
)

facilities = Table(
    "facilities",
    metadata,
    Column("facility_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("province", String, nullable=False),
    Column("lat", Float),
    Column("lon", Float),
    Column("language", String, nullable=False),
    Column("channels", String, nullable=False),
    Column("sms", LargeBinary),
    Column("sms_hash", String),
    Column("email", LargeBinary),
    Column("email_hash", String),
    Column("webhook", LargeBinary),  # address of the plant's own system
    Column("webhook_hash", String),
    Index("facilities_province", "province", "facility_id"),
)
