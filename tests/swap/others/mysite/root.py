from accounts.views import HelloView
from django.urls import include, path

urlpatterns = [
    path("", include("mysite.urls")),
    path("hello/", HelloView.as_view()),
]
