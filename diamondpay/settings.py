"""All settings, from the environment only, in reading order.

Every variable is described in the README. A value that cannot be meant stops the process here, in a
sentence, rather than somewhere later.
"""

from __future__ import annotations

import base64
from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF

from diamondpay import api_limits, environment, logs
from diamondpay.environment import ConfigurationError

django_stubs_ext.monkeypatch()

# ---------------------------------------------------------------------------------------------------
# Which kind of process this is

ENVIRONMENT = environment.choice(
    "DIAMONDPAY_ENV", options=("production", "dev", "test"), default="production"
)
IS_PRODUCTION = ENVIRONMENT == "production"
IS_TEST = ENVIRONMENT == "test"
BASE_DIR = environment.ROOT
HOME = environment.home()
DEBUG = False
CRASH_POINT = environment.text("DIAMONDPAY_CRASH_POINT")
if CRASH_POINT and not IS_TEST:
    raise ConfigurationError(
        "DIAMONDPAY_CRASH_POINT kills processes on purpose; it needs DIAMONDPAY_ENV=test."
    )


def _secret(name: str) -> bytes:
    """Return the secret of an instance that nobody configured: fixed in tests, kept under HOME in dev."""
    if IS_TEST:
        return environment.test_secret(name)
    return environment.kept_secret(folder=HOME / "secrets", name=name)


# ---------------------------------------------------------------------------------------------------
# Secrets

if IS_PRODUCTION:
    SECRET_KEY = environment.required("SECRET_KEY", why="Give 50 random characters or more.")
    environment.required(
        "DIAMONDPAY_ENCRYPTION_KEYS", why="Give 32 random bytes in base64; card numbers are sealed with them."
    )
    environment.required(
        "DIAMONDPAY_HASH_KEY", why="Give 32 random bytes in base64; sealed fields are searched by it."
    )
else:
    SECRET_KEY = environment.text("SECRET_KEY") or base64.b64encode(_secret("session") * 2).decode()
ENCRYPTION_KEYS = environment.keys(
    "DIAMONDPAY_ENCRYPTION_KEYS", default=() if IS_PRODUCTION else (_secret("encryption"),)
)
HASH_KEY = environment.keys("DIAMONDPAY_HASH_KEY", default=() if IS_PRODUCTION else (_secret("hash"),))[0]

# ---------------------------------------------------------------------------------------------------
# Addresses

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]", "testserver") if not IS_PRODUCTION else ()
PORT = environment.integer("DIAMONDPAY_PORT", default=8000, minimum=1, maximum=65535)
SANDBOX_PORT = environment.integer("DIAMONDPAY_SANDBOX_PORT", default=8100, minimum=1, maximum=65535)
# Worthless coins of the sandbox's practice chain are sent from there; production has no such page.
PRACTICE_WALLET_URL = "" if IS_PRODUCTION else f"http://127.0.0.1:{SANDBOX_PORT}/chain/wallet"
if IS_PRODUCTION:
    environment.required("DIAMONDPAY_PUBLIC_URL", why="Merchants and payers are sent to it.")
PUBLIC_URL = environment.web_address("DIAMONDPAY_PUBLIC_URL", default=f"http://127.0.0.1:{PORT}")
_PUBLIC_HOST = PUBLIC_URL.partition("://")[2].partition("/")[0].rpartition("@")[2]
ALLOWED_HOSTS = [
    *environment.listed("DIAMONDPAY_ALLOWED_HOSTS", default=(_PUBLIC_HOST.rsplit(":", 1)[0],)),
    *_LOCAL_HOSTS,
]
CSRF_TRUSTED_ORIGINS = ["/".join(PUBLIC_URL.split("/")[:3])]
TRUSTED_PROXY_COUNT = environment.integer("DIAMONDPAY_TRUSTED_PROXY_COUNT", default=0, minimum=0, maximum=5)

# ---------------------------------------------------------------------------------------------------
# Applications

INSTALLED_APPS = [
    "diamondpay",
    "diamondpay.apps.SiteConfig",
    "django.forms",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "import_export",
    "csp",
    "django_htmx",
    "channels",
    "merchants",
    "records",
    "operations",
]
AUTH_USER_MODEL = "diamondpay.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "diamondpay.policy.PolicyMiddleware",
    "diamondpay.health.HealthMiddleware",
    "diamondpay.pages_only.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "diamondpay.pages_only.AuthenticationMiddleware",
    "diamondpay.pages_only.MessageMiddleware",
    "diamondpay.pages_only.SignInMiddleware",
    "diamondpay.pages_only.RefusalMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "diamondpay.pages_only.HtmxMiddleware",
]

ROOT_URLCONF = "diamondpay.urls"
WSGI_APPLICATION = "diamondpay.wsgi.application"
APPEND_SLASH = False

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"drawn": "diamondpay.lib.drawn"},
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# ---------------------------------------------------------------------------------------------------
# Database. "default" is the application's role; "owner" owns the schema and only `migrate` uses it.

# Tests point both aliases at their clone once the test server stands; tools that only read the
# models (type checker, makemigrations) never connect.
_NOWHERE = "postgresql://diamondpay@/diamondpay?host=/nonexistent"
_DATABASE_URL = environment.text("DATABASE_URL")
if not _DATABASE_URL and not IS_TEST:
    raise ConfigurationError(
        "DATABASE_URL is not set, and no instance started by `make run` was found under "
        f"{HOME}. Start one, or give the address of a PostgreSQL database."
    )
DATABASE_POOL_SIZE = environment.integer("DIAMONDPAY_DATABASE_POOL_SIZE", default=0, minimum=0, maximum=200)
DATABASE_POOL_WAIT_SECONDS = 5
# Where a pooler stands between us and PostgreSQL that does not keep prepared statements, 0.
PREPARED_AFTER_RUNS = 5
HAS_PREPARED_STATEMENTS = environment.flag("DIAMONDPAY_PREPARED_STATEMENTS", default=True)
STATEMENT_SECONDS_MAX = environment.integer(
    "DIAMONDPAY_STATEMENT_SECONDS_MAX", default=0, minimum=0, maximum=3600
)


def _application_database() -> dict[str, Any]:
    """Return the application's connection: pooled where many threads share it, bounded where people wait."""
    found: dict[str, Any] = environment.database(_DATABASE_URL or _NOWHERE, name="DATABASE_URL")
    # Pooled connections are looked at by a backend of our own, others by Django.
    found["CONN_HEALTH_CHECKS"] = not DATABASE_POOL_SIZE
    found["OPTIONS"].setdefault("connect_timeout", "5")
    # Only hand-written statements (lib/sql.py) send values beside the text, and so only they are prepared.
    found["OPTIONS"]["prepare_threshold"] = PREPARED_AFTER_RUNS if HAS_PREPARED_STATEMENTS else None
    if STATEMENT_SECONDS_MAX:
        found["OPTIONS"]["options"] = f"-c statement_timeout={STATEMENT_SECONDS_MAX * 1000}"
    if DATABASE_POOL_SIZE:
        found["ENGINE"] = "diamondpay.lib.postgresql"
        found["OPTIONS"]["pool"] = {
            "min_size": 1,
            "max_size": DATABASE_POOL_SIZE,
            "timeout": DATABASE_POOL_WAIT_SECONDS,
        }
    return found


DATABASES = {"default": _application_database()}
_DATABASE_OWNER_URL = environment.text("DATABASE_OWNER_URL")
if _DATABASE_OWNER_URL or not _DATABASE_URL:
    DATABASES["owner"] = environment.database(_DATABASE_OWNER_URL or _NOWHERE, name="DATABASE_OWNER_URL")

# ---------------------------------------------------------------------------------------------------
# Broker. Rows are the queue: losing every message loses nothing, so messages are short-lived and small.

CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL", default="filesystem://localhost")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(HOME / "broker" / "messages"),
        "data_folder_out": str(HOME / "broker" / "messages"),
        "control_folder": str(HOME / "broker" / "control"),
        "processed_folder": str(HOME / "broker" / "taken"),
        "polling_interval": 0.1,
    }
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "diamondpay"
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_BEAT_SCHEDULE_FILENAME = str(HOME / "beat.schedule")

# ---------------------------------------------------------------------------------------------------
# Language, time, files

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = ["diamondpay.formats"]
TIME_ZONE = "UTC"
DEFAULT_TIME_ZONE = environment.time_zone("DIAMONDPAY_DEFAULT_TIME_ZONE", default="Asia/Shanghai")
STATIC_URL = "/static/"
STATIC_ROOT = environment.text("DIAMONDPAY_STATIC_ROOT", default=str(HOME / "static"))
STATICFILES_STORAGE_NAME = (
    "whitenoise.storage.CompressedManifestStaticFilesStorage"
    if IS_PRODUCTION
    else "django.contrib.staticfiles.storage.StaticFilesStorage"
)
# Outside production files are served from where they lie, so that nothing has to be collected first.
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
MEDIA_ROOT = environment.text("DIAMONDPAY_FILES_ROOT", default=str(HOME / "files"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": STATICFILES_STORAGE_NAME},
}
# Of a whole form with its files. Each page has a limit of its own below this.
UPLOAD_BYTES_MAX = 32 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "diamondpay.lib.upload_limit.LimitedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# ---------------------------------------------------------------------------------------------------
# Security. Plain http is for the local instance and the tests only.

SECURE_SSL_REDIRECT = environment.flag("DIAMONDPAY_HTTPS_REDIRECT", default=IS_PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_PRODUCTION
SECURE_HSTS_PRELOAD = IS_PRODUCTION
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_PRODUCTION
SESSION_COOKIE_HTTPONLY = True
# Two local instances on one host must not sign each other out: cookies do not tell ports apart.
SESSION_COOKIE_NAME = "sessionid" if IS_PRODUCTION else f"sessionid_{PORT}"
CSRF_COOKIE_NAME = "csrftoken" if IS_PRODUCTION else f"csrftoken_{PORT}"
SESSION_COOKIE_AGE = 12 * 3600
# Whoever does nothing for so long is signed out; who moves money proved within the second that it is them.
IDLE_SECONDS = environment.integer("DIAMONDPAY_IDLE_SECONDS", default=900, minimum=60, maximum=12 * 3600)
STEP_UP_SECONDS = environment.integer(
    "DIAMONDPAY_STEP_UP_SECONDS", default=600, minimum=30, maximum=12 * 3600
)
# For everybody of the back office; a role may ask it of its people alone.
REQUIRE_SECOND_FACTOR = environment.flag("DIAMONDPAY_REQUIRE_SECOND_FACTOR", default=False)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
LOGIN_URL = "admin:login"
AUTHENTICATION_BACKENDS = ["diamondpay.people.backend.MembersBackend"]
# Tests sign people in by the thousand; the cost of a real hash proves nothing there.
PASSWORD_HASHERS = (
    ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if IS_TEST
    else [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
)
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATION}.NumericPasswordValidator"},
]

# ---------------------------------------------------------------------------------------------------
# The product

ORDER_PREFIX = environment.text("DIAMONDPAY_ORDER_PREFIX")
if ORDER_PREFIX and not (ORDER_PREFIX.isascii() and ORDER_PREFIX.isalnum() and len(ORDER_PREFIX) <= 8):
    raise ConfigurationError("DIAMONDPAY_ORDER_PREFIX must be at most 8 letters and digits.")
NOTIFICATION_PRIVATE_NETWORKS = environment.networks("DIAMONDPAY_NOTIFICATION_PRIVATE_NETWORKS")
# 15 s + 2 min + 15 min + 2 h + 12 h: a merchant who mends his receiver within 14 hours misses nothing.
NOTIFICATION_RETRY_SECONDS = environment.integers(
    "DIAMONDPAY_NOTIFICATION_RETRY_SECONDS",
    default=(15, 120, 900, 7200, 43200),
    minimum=1,
    maximum=7 * 24 * 3600,
)
if len(NOTIFICATION_RETRY_SECONDS) != 5:
    raise ConfigurationError(
        "DIAMONDPAY_NOTIFICATION_RETRY_SECONDS must hold five waits: a notification is sent 1 + 5 times."
    )
# Files that people asked for. Web processes and workers share the folder.
EXPORT_DIR = environment.text("DIAMONDPAY_EXPORT_DIR", default=str(HOME / "exports"))
# How many files a worker builds at once, each in a process of its own.
EXPORT_PROCESSES = environment.integer("DIAMONDPAY_EXPORT_PROCESSES", default=1, minimum=1, maximum=16)
REQUEST_TIME_SECONDS = environment.integer(
    "DIAMONDPAY_REQUEST_TIME_SECONDS", default=300, minimum=5, maximum=3600
)

# ---------------------------------------------------------------------------------------------------
# APIs

API_CALLS_PER_MINUTE = api_limits.CALLS_PER_MINUTE
API_CREATES_PER_MINUTE = api_limits.CREATES_PER_MINUTE
API_QUERIES_PER_MINUTE = api_limits.QUERIES_PER_MINUTE
API_ADDRESS_CREATES_PER_MINUTE = api_limits.ADDRESS_CREATES_PER_MINUTE
API_ADDRESS_QUERIES_PER_MINUTE = api_limits.ADDRESS_QUERIES_PER_MINUTE
API_REFUSALS_PER_MINUTE = api_limits.REFUSALS_PER_MINUTE
API_KEY_REFUSALS_PER_MINUTE = api_limits.KEY_REFUSALS_PER_MINUTE
# Tests write the log where it is looked at, and leave no thread of it behind.
REQUEST_LOG = environment.flag("DIAMONDPAY_REQUEST_LOG", default=not IS_TEST)
CACHE_URL = environment.text("DIAMONDPAY_CACHE_URL")
if CACHE_URL and not CACHE_URL.startswith(("redis://", "rediss://")):
    raise ConfigurationError("DIAMONDPAY_CACHE_URL must start with redis:// or rediss://.")
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}
    if CACHE_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "DiamondPay",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# ---------------------------------------------------------------------------------------------------
# Logs: one JSON object per line on standard error, without bodies, headers or arguments of tasks.

LOGGING = logs.configuration(
    environment.choice("DIAMONDPAY_LOG_LEVEL", options=("DEBUG", "INFO", "WARNING", "ERROR"), default="INFO")
)
