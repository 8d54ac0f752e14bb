"""URLs of the demo page and of its endpoints, which all require DEBUG."""

from django.urls import path

from playground import theft, views
from playground.guards import debug_only

app_name = "playground"

urlpatterns = [
    path("", debug_only(views.page), name="page"),
    path("playground/tour/", debug_only(views.end_tour), name="tour"),
    path("playground/user/", debug_only(views.UserView.as_view()), name="user"),
    path("playground/expired/", debug_only(views.ExpiredView.as_view()), name="expired"),
    path("playground/device/", debug_only(views.DeviceView.as_view()), name="device"),
    path("playground/theft/", debug_only(theft.TheftView.as_view()), name="theft"),
    path("playground/thief/", debug_only(theft.ThiefView.as_view()), name="thief"),
]
