"""The paths of the receiver."""

import asyncio
from pathlib import Path

from tornado.web import Application, RequestHandler

from workbench.export.sandbox.answers import REDIRECTED_PATH
from workbench.export.sandbox.intake import Intake, Posted
from workbench.export.sandbox.report import report
from workbench.export.sandbox.stage import play


def application(intake: Intake, directory: Path, stopping: asyncio.Event) -> Application:
    """Build the tornado application; it writes no access log."""
    posts = {"intake": intake, "stopping": stopping}
    return Application(
        [
            ("/v2/events", PostHandler, posts),
            ("/v2/bulkevents", PostHandler, posts),
            (REDIRECTED_PATH, RedirectedHandler, posts),
            ("/healthz", HealthHandler),
            ("/", PageHandler, {"directory": directory}),
        ],
        log_function=_log_nothing,
        template_path=str(Path(__file__).parent),
    )


class PostHandler(RequestHandler):
    """`POST /v2/events` and `POST /v2/bulkevents`."""

    def initialize(self, intake: Intake, stopping: asyncio.Event) -> None:
        """Keep the intake."""
        self._intake = intake
        self._stopping = stopping

    async def post(self) -> None:
        """Take the request and play its answer."""
        await play(self, self._intake.take(self._posted()), self._stopping)

    def _posted(self) -> Posted:
        return Posted(
            path=self.request.path,
            authorization=self.request.headers.get("Authorization"),
            content_type=self.request.headers.get("Content-Type", ""),
            body=self.request.body,
        )


class RedirectedHandler(PostHandler):
    """Where a scripted redirect leads: a client that follows it shows up in the requests."""

    async def get(self) -> None:
        """Note the visit."""
        self._visit()

    async def post(self) -> None:
        """Note the visit."""
        self._visit()

    def _visit(self) -> None:
        self._intake.visit(self._posted())
        self.set_status(202)


class HealthHandler(RequestHandler):
    """`GET /healthz`."""

    async def get(self) -> None:
        """Answer 200."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("ok\n")


class PageHandler(RequestHandler):
    """`GET /`: the counts for a person to read."""

    def initialize(self, directory: Path) -> None:
        """Keep where the receiver stores."""
        self._directory = directory

    async def get(self) -> None:
        """Render the report."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        await self.render("page.html", report=report(self._directory))


def _log_nothing(_: RequestHandler) -> None:
    """Write no access log."""
